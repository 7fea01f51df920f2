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

// subscriptions are the subscriptions of the client library. NATS may refuse one some time after it
// was made; then it is removed.
type subscriptions struct {
	mu     sync.Mutex
	have   map[string]*nats.Subscription // by channel; nil: it has to be made again
	asking map[string]bool               // channels for which subscribe waits
	no     map[string]error              // of these, refused ones
}

// take acquires turn, and returns false if the link or ctx ends before.
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

// Subscribe implements cluster.Link.
func (l *link) Subscribe(ctx context.Context, channels []string) error {
	if !l.take(ctx) {
		return cluster.ErrAway
	}
	defer l.give()
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	return l.subscribe(ctx, channels)
}

// subscribe subscribes to channels and waits until NATS has accepted or refused each. NATS sends its
// errors before it answers a later ping. The caller holds turn.
func (l *link) subscribe(ctx context.Context, channels []string) error {
	conn, s := l.conn.Load(), &l.subs
	hits, answered := l.faults.limitHits(), false
	defer func() {
		if s.asked(answered); !answered && l.faults.overLimit() {
			l.tasks.start(l.sortOut) // nothing else would find out which were refused
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

// ask subscribes to the channels that are missing, and returns these in order.
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

// asked ends what ask has begun. If the caller did not get the refusals, the refused channels have to
// be subscribed to again.
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

// refused removes a channel that NATS has refused, and reports whether the node has to be told:
// subscribe returns the refusals of its own channels.
func (s *subscriptions) refused(channel string, cause error) (tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuseLocked(channel, cause)
}

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

// subscribeAnew subscribes to everything again in a known order, with the channels that every node
// needs first, and reports whether NATS has answered. The caller holds turn.
func (l *link) subscribeAnew() (answered bool) {
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	s := &l.subs
	s.mu.Lock()
	channels := slices.Sorted(maps.Keys(s.have)) // ".c", ".n.", ".t."
	for c, sub := range s.have {
		_ = sub.Unsubscribe() // fails on a lost connection,
		s.have[c] = nil       // as does subscribing then
	}
	s.mu.Unlock()
	conn := l.conn.Load()
	l.barrier.renew(conn)
	l.settle(ctx, conn) // so that errors so far are not taken for errors about the new ones
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
	var first error // the others are unsubscribed all the same
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
