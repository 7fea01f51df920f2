package redispubsub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// locate asks the Sentinels, one after the other, for the address of the master. Each has DialTimeout and
// callTimeout to answer. The error is that of the first one.
func (t *target) locate(ctx context.Context) (string, error) {
	var first error
	for _, sentinel := range t.addrs {
		var master []string
		err := t.ask(ctx, sentinel, t.sentinel, func(ctx context.Context, c *redis.Conn) error {
			// The answer is a list of host and port, or null if it does not watch that master
			// (https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/).
			cmd := redis.NewStringSliceCmd(ctx, "sentinel", "get-master-addr-by-name", t.master)
			_ = c.Process(ctx, cmd)
			var err error
			master, err = cmd.Result()
			return err
		})
		switch {
		case errors.Is(err, redis.Nil):
			err = problemf("the Sentinel at %s knows no master %q; check option MasterName", sentinel, t.master)
		case err == nil && len(master) == 2:
			return net.JoinHostPort(master[0], master[1]), nil
		case err == nil:
			err = fmt.Errorf("the Sentinel at %s names no address", sentinel)
		}
		if first == nil {
			first = t.explain(sentinel, t.sentinel, err)
		}
	}
	return "", first
}

// clusterMap has the address of the master for each slot. It takes 256 KiB, and is kept only until apply
// has made the list of owners of it.
type clusterMap [slotCount]string

// askMap asks one node of the cluster for its map. It is an error if the map is not complete.
func (t *target) askMap(ctx context.Context, addr string) (*clusterMap, error) {
	var slots []redis.ClusterSlot
	err := t.ask(ctx, addr, t.user, func(ctx context.Context, c *redis.Conn) (err error) {
		// CLUSTER SHARDS is newer, but also lists masters that have failed.
		cmd := redis.NewClusterSlotsCmd(ctx, "cluster", "slots")
		_ = c.Process(ctx, cmd)
		slots, err = cmd.Result()
		return err
	})
	if err != nil {
		return nil, t.explain(addr, t.user, err)
	}
	m := new(clusterMap)
	for _, part := range slots {
		if len(part.Nodes) == 0 || part.Start < 0 || part.End >= slotCount {
			continue
		}
		for i := part.Start; i <= part.End; i++ {
			m[i] = reachable(part.Nodes[0].Addr, addr) // the first is the master
		}
	}
	if i := slices.Index(m[:], ""); i >= 0 {
		return nil, fmt.Errorf("no node serves slot %d of the cluster, says %s; redis-cli --cluster check tells more", i, addr)
	}
	return m, nil
}

// reachable returns the address of a node that the node at from has sent. A node that does not know
// its own host omits it, and one behind a mapped port knows only its loopback address.
func reachable(addr, from string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	by, _, err := net.SplitHostPort(from)
	if err != nil {
		return addr
	}
	if host == "" || host == "?" || loopback(host) && !loopback(by) {
		host = by
	}
	return net.JoinHostPort(host, port)
}

// loopback reports whether a host is the machine itself.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hint returns the address in a MOVED error, such as "MOVED 3999 10.0.0.2:6379", or "" if the error is another
// one or has no host.
func hint(err error) string {
	addr, _ := redis.IsMovedError(err)
	if host, _, err := net.SplitHostPort(addr); err != nil || host == "" {
		return ""
	}
	return addr
}

// stale makes follow fetch the map, first from addr unless that is "". It does not wait, and may be
// called from any goroutine.
func (l *link) stale(addr string) {
	if addr != "" {
		l.mu.Lock()
		l.asks = addr
		l.mu.Unlock()
	}
	select {
	case l.moves <- struct{}{}:
	default:
	}
}

// lookAnyway is the time between two fetches of the map when nothing indicates that it has changed.
const lookAnyway = 30 * time.Second

// follow is the goroutine that keeps the map of the cluster up to date, and moves channels with their
// slots. It works when stale is called, and every lookAnyway. Calls of stale while it works count as one.
func (l *link) follow() {
	ticker := time.NewTicker(lookAnyway)
	defer ticker.Stop()
	for {
		told := false // there is a sign that the map is out of date
		select {
		case <-l.moves:
			told = true
		case <-ticker.C:
		case <-l.ctx.Done():
			return
		}
		// It pauses after a success, too, so that many signs of one change cause one fetch.
		for pause := firstPause; ; pause = min(2*pause, lastPause) {
			changed, err := l.refresh(l.ctx)
			told = told || changed
			if err == nil && told {
				err = l.rearrange(l.ctx)
			}
			if !sleep(l.ctx, pause) {
				return
			}
			if err == nil {
				break
			}
		}
	}
}

// refresh fetches the map from the first node that has a complete one, and reports whether it has
// changed. Nodes are asked one after the other. If none has a map, the error is that of the first.
func (l *link) refresh(ctx context.Context) (changed bool, err error) {
	l.mu.Lock()
	// Asked first is the node that an error has named, then connected ones, then those in Addrs.
	var order []string
	for _, s := range l.shards {
		if s.session != nil {
			order = append(order, s.addr)
		}
	}
	// In random order, so that a node with an old map is not asked first each time.
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	if l.asks != "" {
		order = append([]string{l.asks}, order...)
		l.asks = ""
	}
	l.mu.Unlock()
	asked := make(map[string]bool)
	for _, addr := range append(order, l.target.addrs...) {
		if asked[addr] {
			continue
		}
		asked[addr] = true
		m, fault := l.target.askMap(ctx, addr)
		if fault == nil {
			return l.apply(m), nil
		}
		if err == nil {
			err = fault
		}
	}
	return false, err
}

// apply replaces the map. It starts the goroutines of new shards and stops those of removed ones. It
// reports whether any slot has another shard.
func (l *link) apply(m *clusterMap) (changed bool) {
	l.mu.Lock()
	before := make(map[string]*shard)
	for _, s := range l.shards {
		before[s.addr] = s
	}
	// Shards are known by their address. A replica that becomes master is a new shard.
	byAddr := make(map[string]*shard)
	var shards, fresh []*shard
	owners := make([]*shard, slotCount)
	for slot, addr := range m {
		s := byAddr[addr]
		if s == nil {
			if s = before[addr]; s == nil {
				s = l.newShard(addr)
				fresh = append(fresh, s)
			}
			byAddr[addr] = s
			shards = append(shards, s)
		}
		owners[slot] = s
	}
	changed = !slices.Equal(owners, l.owners)
	l.shards, l.owners = shards, owners
	opened := len(before) > 0
	l.mu.Unlock()
	for addr, s := range before {
		if byAddr[addr] == nil && s.stop != nil {
			s.stop()
		}
	}
	if opened { // otherwise Open connects them
		for _, s := range fresh {
			l.keep(s, nil)
		}
	}
	l.wake()
	return changed
}
