package redishistory

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/internal/redisconn"
)

// router finds the server of a call: the only one, the master of the Sentinels, or a master of a cluster.
// Each server has two lanes, one for reading. All methods may be called from any goroutine.
type router struct {
	target *redisconn.Target
	prefix string
	stale  atomic.Bool // the map of the cluster may be out of date

	ctx   context.Context // ends with close
	stop  context.CancelFunc
	tasks sync.WaitGroup

	// No call is made and nothing is awaited while mu is held.
	mu     sync.Mutex // guards the fields below
	closed bool
	lanes  map[laneKey]*lane
	owners *redisconn.Map // of a cluster, once it is known
	look   *look          // the fetch of the map that runs, or nil
}

// laneKey names a lane.
type laneKey struct {
	addr  string
	reads bool
}

// look is a fetch of the map of a cluster.
type look struct {
	done chan struct{} // closed when err is set
	err  error
}

func newRouter(t *redisconn.Target, prefix string) *router {
	r := &router{target: t, prefix: prefix, lanes: make(map[laneKey]*lane)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// close ends all connections, and waits for the goroutines as far as ctx allows.
func (r *router) close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	done := make(chan struct{})
	go func() { r.tasks.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// maxMoves bounds how often the servers of a cluster may send a call on.
const maxMoves = 5

// do makes a call at the server of its slot, and follows it when the servers of a cluster send it on. Calls
// that change nothing, or may be made twice, are made a second time after a connection has broken. An append
// is not: package history tries it again, and must know whether a try may have succeeded. The error is that
// of the connection or the server, explained, as ErrUnavailable or ErrUnknown.
func (r *router) do(ctx context.Context, c *call) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	for _, k := range c.keys {
		c.size += len(k)
	}
	for _, a := range c.args {
		if b, ok := a.([]byte); ok {
			c.size += len(b)
		}
	}
	addr := ""
	again := c.script != appendScript // whose callers must know of each try
	for range maxMoves {
		l, err := r.lane(ctx, c, addr)
		if err != nil {
			return err
		}
		c.renew()
		if err := l.do(ctx, c); err != nil {
			return r.orClosed(err)
		}
		if _, ok := errors.AsType[*failure](c.err); ok || c.err == nil {
			return c.err // if not nil, there was no connection
		}
		switch verdict := redisconn.Judge(c.err); {
		case verdict == redisconn.Broken && again:
			again = false // the server may have closed an idle connection
			continue
		case verdict != redisconn.Moved:
			return r.failed(c)
		}
		addr, c.asking = r.moved(c)
	}
	return unavailable(errTooManyMoves)
}

// orClosed replaces an error if the store was closed meanwhile, unless the server may have made the call.
func (r *router) orClosed(err error) error {
	if r.ctx.Err() != nil && errors.Is(err, errGone) {
		return unavailable(errClosed)
	}
	return err
}

// failed explains the error of a call.
func (r *router) failed(c *call) error {
	err := r.explain(c.addr, c.err)
	if c.sent {
		return unknown(err)
	}
	return unavailable(err)
}

// moved returns the server that another one has named, such as "MOVED 3999 10.0.0.2:6379", and whether it
// has the slot only for this call, because the slot is being moved: then the map of the cluster still holds.
func (r *router) moved(c *call) (addr string, asking bool) {
	asking = strings.HasPrefix(c.err.Error(), "ASK ")
	if !asking {
		r.stale.Store(true)
	}
	if asking {
		addr, _ = redis.IsAskError(c.err)
	} else {
		addr, _ = redis.IsMovedError(c.err)
	}
	if host, _, err := net.SplitHostPort(addr); err != nil || host == "" {
		return "", false // the map will tell
	}
	return addr, asking
}

// lane returns the lane of a call: to addr, or to the server of its slot if that is "".
func (r *router) lane(ctx context.Context, c *call, addr string) (*lane, error) {
	if r.target.Mode == redisconn.Cluster && addr == "" {
		if err := r.mapped(ctx); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, unavailable(errClosed)
	}
	if addr == "" { // with Sentinels it stays so, and the lane asks them
		switch r.target.Mode {
		case redisconn.Cluster:
			addr = r.owners[c.slot]
		case redisconn.Single:
			addr = r.target.Addrs[0]
		}
	}
	key := laneKey{addr, c.reads}
	l := r.lanes[key]
	if l == nil {
		l = &lane{r: r, addr: addr, queue: make(chan *call, maxBatch), gone: make(chan struct{})}
		l.ctx, l.stop = context.WithCancel(r.ctx)
		r.lanes[key] = l
		r.tasks.Go(l.run)
	}
	return l, nil
}

// mapped waits until the map of the cluster is known. One fetch serves all callers. If it may be out of
// date it is fetched again; if that fails, the old one is used.
func (r *router) mapped(ctx context.Context) error {
	r.mu.Lock()
	known := r.owners != nil
	if known && !r.stale.Load() {
		r.mu.Unlock()
		return nil
	}
	if r.closed {
		r.mu.Unlock()
		return unavailable(errClosed)
	}
	k := r.look
	if k == nil {
		k = &look{done: make(chan struct{})}
		r.look = k
		r.stale.Store(false)
		r.tasks.Go(func() { r.fetch(k) })
	}
	r.mu.Unlock()
	select {
	case <-k.done:
	case <-ctx.Done():
		return ended(ctx)
	}
	if k.err != nil && !known {
		return unavailable(k.err)
	}
	return nil
}

// fetch gets the map, in a goroutine of the router, so that it goes on when the caller that began it leaves. It
// takes the map from the first server that has a complete one: those with lanes in random order, and
// then those of the options. If none has one, the error is that of the first.
func (r *router) fetch(k *look) {
	r.mu.Lock()
	var order []string
	for key := range r.lanes {
		order = append(order, key.addr)
	}
	r.mu.Unlock()
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	var m *redisconn.Map
	for i, addr := range append(order, r.target.Addrs...) {
		if slices.Contains(order[:min(i, len(order))], addr) {
			continue
		}
		var err error
		if m, err = r.target.AskMap(r.ctx, addr); err == nil {
			break
		}
		if k.err == nil {
			k.err = err
		}
	}
	if m != nil {
		k.err = nil
		r.apply(m)
	} else {
		r.stale.Store(true)
	}
	r.mu.Lock()
	r.look = nil
	r.mu.Unlock()
	close(k.done)
}

// apply takes a map, and stops the lanes of servers that are not in it. Their calls are sent by other
// lanes when their callers try again.
func (r *router) apply(m *redisconn.Map) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owners = m
	masters := make(map[string]bool)
	for _, addr := range m {
		masters[addr] = true
	}
	for key, l := range r.lanes {
		if !masters[key.addr] {
			l.stop()
			delete(r.lanes, key)
		}
	}
}

// suspect is called when the connection of a lane to addr has broken, or its server refuses everything: the
// other lane connects again, too, since the server may be a replica now, and the map is fetched.
func (r *router) suspect(addr string) {
	r.stale.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reads := range []bool{false, true} {
		if l := r.lanes[laneKey{addr, reads}]; l != nil {
			l.anew.Store(true)
		}
	}
}

// slots returns one slot of each server, for the probe at the start. All topics of one server, or of the
// master that Sentinels name, count as slot 0.
func (r *router) slots(ctx context.Context) (slots []int, err error) {
	if r.target.Mode != redisconn.Cluster {
		return []int{0}, nil
	}
	if err := r.mapped(ctx); err != nil {
		if f, ok := errors.AsType[*failure](err); ok {
			err = f.cause
		}
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := make(map[string]bool)
	for slot, addr := range r.owners {
		if !seen[addr] {
			seen[addr] = true
			slots = append(slots, slot)
		}
	}
	return slots, nil
}

// cluster reports whether the servers are those of a cluster.
func (r *router) cluster() bool { return r.target.Mode == redisconn.Cluster }
