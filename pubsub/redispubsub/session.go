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

	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// session is one stay at a shard's server, from the time everything was subscribed
// until the connection that subscribes ends.
type session struct {
	shard    *shard
	link     *link
	addr     string
	outlet   *outlet
	listener *listener

	denied map[string]bool // what this user may not have; under the lock of link

	nonce []byte // what it says to itself
	probe atomic.Pointer[string]
	pulse *cluster.Pulse
	first chan struct{}
	once  sync.Once
}

// leastProbe bounds how often a session looks, whatever the option: the core looks
// too, and at once.
const leastProbe = 250 * time.Millisecond

// settleTime bounds the confirmation of one part of the channels when everything is
// subscribed again.
const settleTime = 10 * time.Second

// connect makes a session for a shard, with every channel that is wanted.
func (s *shard) connect(ctx context.Context) (_ *session, err error) {
	l := s.link
	addr := s.addr
	if l.target.mode == modeSentinel {
		if addr, err = l.target.locate(ctx); err != nil {
			return nil, err
		}
	}
	x := &session{
		shard: s, link: l, addr: addr, outlet: newOutlet(l.target, addr),
		nonce: binary.BigEndian.AppendUint64(nil, rand.Uint64()), pulse: cluster.NewPulse(max(l.probe, leastProbe)), first: make(chan struct{}),
	}
	if err := x.start(ctx); err != nil {
		x.close()
		return nil, l.target.explain(addr, l.target.user, err)
	}
	return x, nil
}

func (x *session) start(ctx context.Context) error {
	l := x.link
	defer context.AfterFunc(ctx, x.outlet.close)()
	if err := x.outlet.check(ctx); err != nil {
		return err
	}
	channel, ok := l.probeFor(x.shard)
	if !ok {
		return fmt.Errorf("%s has no slots", x.addr)
	}
	x.probe.Store(&channel)
	conn, err := l.target.open(ctx, x.addr, l.target.user)
	if err != nil {
		return err
	}
	x.listener = newListener(conn, l.target.mode == modeCluster, x.message, x.lost)
	defer context.AfterFunc(ctx, func() { x.listener.die(context.Cause(ctx)) })()

	sent := x.listener.send(ctx, true, []string{channel})
	l.tasks.Go(x.listener.run) // now it has a connection to read from
	if err := x.listener.awaitFor(ctx, callTimeout, sent); err != nil {
		return l.forbidden(x.addr, "subscribe to", channel, err)
	}
	if err := x.say(ctx); err != nil {
		return l.forbidden(x.addr, "publish to", channel, err)
	}
	late := time.NewTimer(callTimeout)
	defer late.Stop()
	select {
	case <-x.first:
	case <-late.C:
		return fmt.Errorf("%s takes messages and delivers none", x.addr)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return l.settle(ctx, x, true)
}

// say publishes what the session must hear.
func (x *session) say(ctx context.Context) error {
	return x.outlet.use(ctx, func(c *redis.Conn) error {
		if x.link.target.mode == modeCluster {
			return c.SPublish(ctx, *x.probe.Load(), x.nonce).Err()
		}
		return c.Publish(ctx, *x.probe.Load(), x.nonce).Err()
	})
}

// message takes what the listener reads.
func (x *session) message(channel string, data []byte) {
	x.pulse.Enter()
	defer x.pulse.Leave()
	if channel != *x.probe.Load() {
		x.link.events.Message(channel, data)
		return
	}
	if bytes.Equal(data, x.nonce) { // and not of a session before
		x.pulse.Heard()
		x.once.Do(func() { close(x.first) })
	}
}

// lost takes word that the server no longer has a channel: its slot has moved.
func (x *session) lost(channel string) {
	x.link.forsaken(x, channel)
}

// watch returns why the session must end.
func (x *session) watch(ctx context.Context) error {
	every := max(x.link.probe, leastProbe)
	ctx, cancel := context.WithCancel(ctx)
	var task sync.WaitGroup
	defer func() {
		cancel()
		x.outlet.close() // who waits for it shall not go on waiting
		task.Wait()
	}()
	turns, failed := make(chan struct{}, 1), make(chan error, 1)
	task.Go(func() { x.look(ctx, turns, failed) })
	tick := time.NewTicker(x.pulse.Step())
	defer tick.Stop()
	for next := time.Now().Add(every); ; {
		select {
		case <-x.listener.dead:
			return x.link.target.explain(x.addr, x.link.target.user, x.listener.err)
		case err := <-x.shard.reset:
			return err
		case err := <-failed:
			return x.link.target.explain(x.addr, x.link.target.user, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		now := time.Now()
		if _, silent := x.pulse.Tick(now); silent > 0 {
			return fmt.Errorf("%s has stopped delivering without a word, for %v now", x.addr, silent.Round(time.Millisecond))
		}
		if now.Before(next) {
			continue
		}
		next = now.Add(every)
		x.pulse.Asked(now)
		select {
		case turns <- struct{}{}:
		default: // still at the last one
		}
	}
}

// look asks the server at each turn how it is. That it does not answer shows in
// what the session does not hear.
func (x *session) look(ctx context.Context, turns <-chan struct{}, failed chan<- error) {
	t := x.link.target
	for {
		select {
		case <-turns:
		case <-ctx.Done():
			return
		}
		err := x.say(ctx)
		if err != nil && judge(err) == broken && ctx.Err() == nil {
			err = x.say(ctx) // over another connection: the loss of this one says nothing of the server
		}
		switch {
		case err == nil:
			x.pulse.Written()
		case noPermission(err), barring(err):
			failed <- x.link.forbidden(x.addr, "publish to", *x.probe.Load(), err)
			return
		case judge(err) == moved:
			x.link.stale(hint(err))
		}
		if t.mode == modeCluster {
			continue // a node that is no longer a master says so itself
		}
		err = x.outlet.check(ctx)
		if known := (*problem)(nil); !errors.As(err, &known) {
			err = nil
		}
		if err == nil && t.mode == modeSentinel {
			if addr, lost := t.locate(ctx); lost == nil && addr != x.addr {
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

var errMoved = errors.New("channels moved to another shard")
