package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// subscriptions are the subscriptions of the client library. If NATS refuses one, some time after it was
// made, it is removed.
type subscriptions struct {
	mu     sync.Mutex
	have   map[string]*nats.Subscription // by channel; nil if it has to be made again
	asking map[string]bool               // channels for which subscribe waits; nil if it does not run
	no     map[string]error              // of these, the refused ones
}

// take acquires turn. It returns false if the link or ctx ends first.
func (l *link) take(ctx context.Context) bool {
	select {
	case l.turn <- struct{}{}:
		return true
	case <-l.done:
	case <-ctx.Done():
	}
	return false
}

// give releases turn.
func (l *link) give() { <-l.turn }

// Subscribe implements cluster.Link. It waits up to confirmTime.
func (l *link) Subscribe(ctx context.Context, channels []string) error {
	if !l.take(ctx) {
		return cluster.ErrAway
	}
	defer l.give()
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	return l.subscribe(ctx, channels)
}

// subscribe subscribes to channels and waits until NATS has accepted or refused each of them. NATS sends
// its errors before it answers a later ping. If it refuses some, the error is a Refusal. The caller holds
// turn.
func (l *link) subscribe(ctx context.Context, channels []string) error {
	conn, s := l.conn.Load(), &l.subs
	hits, answered := l.faults.limitHits(), false
	defer func() {
		if s.asked(answered); !answered && l.faults.overLimit() {
			l.tasks.start(l.sortOut) // to find out which were refused
		}
	}()
	fresh, err := s.ask(conn, channels, l.inbox)
	if err != nil {
		return fmt.Errorf("NATS: subscribe: %w", err)
	}
	if err := conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("NATS did not confirm subscriptions: %w", err)
	}
	l.settle(ctx, conn) // now s.no and the count of limits have all errors
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("NATS did not confirm subscriptions: %w", err)
	}
	if conn.Stats().Reconnects != l.reconnects {
		// The library has reconnected and subscribed to everything again in any order, so
		// errors may be about any channel. returned handles this.
		return errors.New("NATS: the connection was lost while it was asked for subscriptions")
	}
	answered = true
	s.mu.Lock()
	defer s.mu.Unlock()
	// NATS does not say which subscriptions are over its limit. It accepts them in order, so they
	// are the last ones.
	hits = l.faults.limitHits() - hits
	l.faults.limitKnown(hits, false)
	for n := hits; n > 0 && len(fresh) > 0; {
		c := fresh[len(fresh)-1]
		fresh = fresh[:len(fresh)-1]
		if s.no[c] == nil {
			n--
			s.refuseLocked(c, l.limitCause(c))
		}
	}
	if len(s.no) == 0 {
		return nil
	}
	refusal := &cluster.Refusal{}
	for _, c := range slices.Sorted(maps.Keys(s.no)) {
		refusal.Add(c, s.no[c])
	}
	return refusal
}

// ask subscribes to those channels that have no subscription, and returns them in order.
func (s *subscriptions) ask(conn *nats.Conn, channels []string, inbox chan *nats.Msg) (fresh []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking, s.no = make(map[string]bool, len(channels)), make(map[string]error)
	for _, c := range channels {
		s.asking[c] = true
		if s.have[c] != nil {
			continue
		}
		sub, err := conn.ChanSubscribe(c, inbox)
		if err != nil {
			return nil, err
		}
		s.have[c] = sub
		fresh = append(fresh, c)
	}
	return fresh, nil
}

// asked ends the time in which refusals are collected for subscribe. If told is false, its caller does not
// get them, so the refused channels are marked to be subscribed to again.
func (s *subscriptions) asked(told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !told {
		for c := range s.no {
			s.have[c] = nil
		}
	}
	s.asking, s.no = nil, nil
}

// lacks reports whether a subscription has to be made again.
func (s *subscriptions) lacks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.have {
		if sub == nil {
			return true
		}
	}
	return false
}

// refused removes a channel that NATS has refused. It reports whether the link has to report that to the
// node, which it has not while subscribe waits for the channel and returns the refusal.
func (s *subscriptions) refused(channel string, cause error) (tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuseLocked(channel, cause)
}

// refuseLocked is refused with the lock held.
func (s *subscriptions) refuseLocked(channel string, cause error) (tell bool) {
	sub := s.have[channel]
	if sub == nil {
		return false
	}
	delete(s.have, channel)
	_ = sub.Unsubscribe() // or the library would subscribe again when it reconnects
	if s.asking[channel] {
		s.no[channel] = cause
		return false
	}
	return true
}

// subscribeAnew subscribes to everything again in a known order, in which the channels that every node
// needs come first, so that they are accepted below the limit. It reports whether NATS has answered. The
// caller holds turn.
func (l *link) subscribeAnew() (answered bool) {
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	s := &l.subs
	s.mu.Lock()
	channels := slices.Sorted(maps.Keys(s.have)) // ".c", ".n.", ".t."
	for c, sub := range s.have {
		_ = sub.Unsubscribe() // fails if the connection is lost; subscribe then fails, too
		s.have[c] = nil
	}
	s.mu.Unlock()
	conn := l.conn.Load()
	l.barrier.renew(conn)
	l.settle(ctx, conn) // so that earlier errors are not counted for the new subscriptions
	l.faults.limitKnown(0, true)
	if len(channels) == 0 {
		return true
	}
	err := l.subscribe(ctx, channels)
	if refusal := (*cluster.Refusal)(nil); errors.As(err, &refusal) {
		l.events.Refused(refusal)
		return true
	}
	return err == nil
}

// Unsubscribe implements cluster.Link.
func (l *link) Unsubscribe(channels []string) error {
	if !l.take(context.Background()) {
		return nil
	}
	defer l.give()
	s := &l.subs
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error // returned at the end, after all others were unsubscribed
	for _, c := range channels {
		sub := s.have[c]
		delete(s.have, c)
		if sub == nil {
			continue
		}
		if err := sub.Unsubscribe(); err != nil && first == nil && !errors.Is(err, nats.ErrConnectionClosed) {
			first = fmt.Errorf("NATS: unsubscribe: %w", err)
		}
	}
	return first
}
