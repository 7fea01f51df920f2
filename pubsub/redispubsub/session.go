package redispubsub

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// session is one stay at the server of a shard, with a listener and an outlet. It becomes the session of
// its shard when all wanted channels are subscribed, and ends with the connection of its listener.
// Within a session no message is missed without a sign.
type session struct {
	shard    *shard
	link     *link
	addr     string
	outlet   *outlet
	listener *listener

	denied map[string]bool // channels that the server refuses; link.mu guards it

	nonce []byte                 // the payload of its probes, 8 random bytes
	probe atomic.Pointer[string] // the channel of its probes
	pulse *cluster.Pulse         // notices when probes do not come back
	first chan struct{}          // closed when the first probe has come back
	once  sync.Once              // closes first
}

// leastProbe is the least time between two probes of a session, even if Options.Probe is shorter. The
// beats of the node test the connection, too.
const leastProbe = 250 * time.Millisecond

// settleTime bounds the confirmation of one chunk of channels in settle.
const settleTime = 10 * time.Second

// connect makes a session for a shard, subscribed to every wanted channel of the shard. The error says what to
// do about it. The end of ctx ends the attempt, but not a session that was made.
func (s *shard) connect(ctx context.Context) (_ *session, err error) {
	l := s.link
	addr := s.addr
	if l.target.Mode == redisconn.Sentinel {
		if addr, err = l.target.Locate(ctx); err != nil {
			return nil, err
		}
	}
	x := &session{
		shard: s, link: l, addr: addr, outlet: newOutlet(l.target, addr),
		nonce: binary.BigEndian.AppendUint64(nil, rand.Uint64()), pulse: cluster.NewPulse(max(l.probe, leastProbe)), first: make(chan struct{}),
	}
	if err := x.start(ctx); err != nil {
		x.close()
		return nil, l.target.Explain(addr, l.target.User, err)
	}
	return x, nil
}

// start connects outlet and listener, sends a probe, and subscribes. Each step has a time limit, so a
// server that does not answer ends it.
func (x *session) start(ctx context.Context) error {
	l := x.link
	// Calls of the library do not all end with ctx. They do end when their connection is closed.
	defer context.AfterFunc(ctx, x.outlet.close)()
	if err := x.outlet.check(ctx); err != nil {
		return err
	}
	channel, ok := l.probeFor(x.shard)
	if !ok {
		return fmt.Errorf("%s has no slots", x.addr)
	}
	x.probe.Store(&channel)
	conn, err := l.target.Open(ctx, x.addr, l.target.User)
	if err != nil {
		return err
	}
	x.listener = newListener(conn, l.target.Mode == redisconn.Cluster, x.message, x.lost)
	defer context.AfterFunc(ctx, func() { x.listener.die(context.Cause(ctx)) })()

	sent := x.listener.send(ctx, true, []string{channel})
	l.tasks.Go(x.listener.run)
	if err := x.listener.awaitFor(ctx, redisconn.CallTimeout, sent); err != nil {
		return l.forbidden(x.addr, "subscribe to", channel, err)
	}
	// The probe that comes back shows that both connections lead to the same server, and that this
	// user may do both.
	if err := x.say(ctx); err != nil {
		return l.forbidden(x.addr, "publish to", channel, err)
	}
	late := time.NewTimer(redisconn.CallTimeout)
	defer late.Stop()
	select {
	case <-x.first:
	case <-late.C:
		return fmt.Errorf("%s accepts messages and delivers none", x.addr)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return l.settle(ctx, x, true)
}

// say publishes a probe, and waits for the answer to the command, not for the probe. It waits behind
// messages that are being published, since they use the same connection.
func (x *session) say(ctx context.Context) error {
	return x.outlet.use(ctx, func(c *redis.Conn) error {
		if x.link.target.Mode == redisconn.Cluster {
			return c.SPublish(ctx, *x.probe.Load(), x.nonce).Err()
		}
		return c.Publish(ctx, *x.probe.Load(), x.nonce).Err()
	})
}

// message passes a message to the node, unless it is a probe. The goroutine of the listener calls it. It
// blocks while the node has too many messages, which makes the listener stop reading.
func (x *session) message(channel string, data []byte) {
	x.pulse.Enter() // so that the pulse does not blame the server for probes that wait behind it
	defer x.pulse.Leave()
	if channel != *x.probe.Load() {
		x.link.events.Message(channel, data)
		return
	}
	if bytes.Equal(data, x.nonce) { // otherwise it is of an earlier session
		x.pulse.Heard()
		x.once.Do(func() { close(x.first) })
	}
}

// lost is called when the server ends a subscription, since its slot has moved.
func (x *session) lost(channel string) {
	x.link.forsaken(x, channel)
}

// watch waits until the session must end, and returns the reason: the connection of the listener is
// lost, no probe comes back, the server is no longer the master, Reset was called, or ctx has ended.
func (x *session) watch(ctx context.Context) error {
	every := max(x.link.probe, leastProbe)
	ctx, cancel := context.WithCancel(ctx)
	var task sync.WaitGroup
	defer func() {
		cancel()
		x.outlet.close() // so that look does not wait for it
		task.Wait()
	}()
	// Questions to the server are asked in another goroutine, so that a server that does not
	// answer is noticed here.
	turns, failed := make(chan struct{}, 1), make(chan error, 1)
	task.Go(func() { x.look(ctx, turns, failed) })
	// The ticks are shorter than the time between probes, to notice a silent server soon.
	tick := time.NewTicker(x.pulse.Step())
	defer tick.Stop()
	for next := time.Now().Add(every); ; {
		select {
		case <-x.listener.dead:
			return x.link.target.Explain(x.addr, x.link.target.User, x.listener.err)
		case err := <-x.shard.reset:
			return err
		case err := <-failed:
			return x.link.target.Explain(x.addr, x.link.target.User, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		// The pulse does not count a time in which this process itself was stopped.
		now := time.Now()
		if _, silent := x.pulse.Tick(now); silent > 0 {
			return fmt.Errorf("%s has delivered nothing for %v", x.addr, silent.Round(time.Millisecond))
		}
		if now.Before(next) {
			continue
		}
		next = now.Add(every)
		x.pulse.Asked(now)
		select {
		case turns <- struct{}{}:
		default: // look is still busy
		}
	}
}

// look sends a probe in each turn, and checks that the server is still the master. It may block on a
// server that does not answer; watch then notices that no probe comes back. It sends at most one error.
func (x *session) look(ctx context.Context, turns <-chan struct{}, failed chan<- error) {
	t := x.link.target
	for {
		select {
		case <-turns:
		case <-ctx.Done():
			return
		}
		err := x.say(ctx)
		if err != nil && redisconn.Judge(err) == redisconn.Broken && ctx.Err() == nil {
			err = x.say(ctx) // again over a new connection, since only the old one may be lost
		}
		switch {
		case err == nil:
			x.pulse.Written()
		case redisconn.NoPermission(err), redisconn.Barring(err):
			failed <- x.link.forbidden(x.addr, "publish to", *x.probe.Load(), err)
			return
		case redisconn.Judge(err) == redisconn.Moved:
			x.link.stale(redisconn.Hint(err))
		}
		if t.Mode == redisconn.Cluster {
			continue // a node that is no longer a master returns MOVED
		}
		// After a failover the old master may go on as a replica, and what is published there
		// reaches no other server.
		err = x.outlet.check(ctx)
		if known := (*redisconn.Problem)(nil); !errors.As(err, &known) {
			err = nil
		}
		if err == nil && t.Mode == redisconn.Sentinel {
			if addr, lost := t.Locate(ctx); lost == nil && addr != x.addr {
				err = fmt.Errorf("%s is no longer the master, it is %s", x.addr, addr)
			}
		}
		if err != nil {
			failed <- err
			return
		}
	}
}

// close ends the session and waits for its goroutines.
func (x *session) close() {
	x.outlet.close()
	if x.listener != nil {
		x.listener.close()
	}
}

// errMoved is the cause of a gap after channels have moved between shards.
var errMoved = errors.New("channels moved to another shard")
