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

// subscriptions are those that the client has. NATS refuses one some time after it was
// asked for; then it goes from here.
type subscriptions struct {
	mu     sync.Mutex
	have   map[string]*nats.Subscription // nil where the client could not ask
	asking map[string]bool               // by Subscribe, which waits for NATS's word
	no     map[string]error              // what NATS has refused of these
}

// take gets the turn to change subscriptions, unless the link or ctx ends before.
func (l *link) take(ctx context.Context) bool {
	select {
	case l.turn <- struct{}{}:
		return true
	case <-l.done:
	case <-ctx.Done():
	}
	return false
}

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

// subscribe asks for channels and waits for NATS's word about each. NATS tells of those that
// it refuses before it answers a ping that came after them.
func (l *link) subscribe(ctx context.Context, channels []string) error {
	conn, s := l.conn.Load(), &l.subs
	hits, answered := l.faults.limitHits(), false
	defer func() {
		if s.asked(answered); !answered && l.faults.overLimit() {
			l.tasks.start(l.sortOut) // nobody else knows what NATS has complained of
		}
	}()
	fresh, err := s.ask(conn, channels, l.inbox)
	if err != nil {
		return fmt.Errorf("NATS: subscribe: %w", err)
	}
	if err := conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("NATS did not confirm subscriptions: %w", err)
	}
	l.settle(ctx, conn)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("NATS did not confirm subscriptions: %w", err)
	}
	if conn.Stats().Reconnects != l.reconnects {
		// The client has asked for everything again, in any order. What NATS complained of
		// may be about any of it, and returned sees to that.
		return errors.New("NATS: the connection was lost while it was asked for subscriptions")
	}
	answered = true
	s.mu.Lock()
	defer s.mu.Unlock()
	// NATS does not say which are too many. It takes them in order.
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

// ask sends for the channels that the client does not have, and returns them in order.
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

// asked ends what ask began. Where nobody is told what NATS has refused, it is to be asked for
// again.
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

// lacks reports whether something is to be asked for again.
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

// refused notes that NATS does not let the client have a channel, and reports whether
// somebody must be told: Subscribe tells itself.
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
	_ = sub.Unsubscribe() // or the client would ask again, by itself
	if s.asking[channel] {
		s.no[channel] = cause
		return false
	}
	return true
}

// subscribeAnew asks for everything again, in an order that is known, what every node needs
// first. It reports whether NATS has answered. The caller has the turn.
func (l *link) subscribeAnew() (answered bool) {
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	s := &l.subs
	s.mu.Lock()
	channels := slices.Sorted(maps.Keys(s.have)) // ".c", ".n.", ".t."
	for c, sub := range s.have {
		_ = sub.Unsubscribe() // fails on a connection that is gone
		s.have[c] = nil       // and then nothing can be asked for
	}
	s.mu.Unlock()
	conn := l.conn.Load()
	l.barrier.renew(conn)
	l.settle(ctx, conn) // what is complained of until then is not about what is asked for now
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
	var first error
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
