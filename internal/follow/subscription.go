package follow

import (
	"context"

	"github.com/bennu-go/bennu/pubsub"
)

// Subscription is the subscription of one subscriber to a kept topic. All methods may be called from
// any goroutine.
type Subscription struct {
	subscriber pubsub.Subscriber
	follower   *follower
	index      int // in follower.subs, or -1 after Cancel; guarded by follower.mu
}

// Ready returns a channel that is closed when the head is known and no later entry of any node can be
// missed, or nil if that is so already. Call it again when the channel is closed, as that of
// pubsub.Subscription. It does not wait either once the followers have been closed; see Closed.
func (s *Subscription) Ready() <-chan struct{} {
	f := s.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started || f.ended {
		return nil
	}
	return f.needStarting().readyChan()
}

// Closed reports whether the followers have been closed, so that nothing comes any more. A follower with
// subscriptions ends for no other reason.
func (s *Subscription) Closed() bool {
	s.follower.mu.Lock()
	defer s.follower.mu.Unlock()
	return s.follower.ended
}

// begun waits until the head is known. The error is the cause of ctx, or says that the followers have been
// closed.
func (s *Subscription) begun(ctx context.Context) error {
	if ready := s.Ready(); ready != nil {
		if err := s.follower.all.wait(ctx, ready); err != nil {
			return err
		}
	}
	if s.Closed() {
		return errClosed
	}
	return nil
}

// Cancel ends the subscription. A delivery that has begun may still arrive. It may be called again.
func (s *Subscription) Cancel() { s.follower.cancel(s) }

// Head returns the position of the last entry that was taken. Before Ready it is zero.
func (s *Subscription) Head() Position {
	s.follower.mu.Lock()
	defer s.follower.mu.Unlock()
	return s.follower.position()
}

// Join calls f with the head, under the lock of the follower: every entry after that position is
// delivered after f has returned, and none before it. f may take the locks of its channel and
// connection, and must not call the follower.
func (s *Subscription) Join(f func(head Position)) {
	s.follower.mu.Lock()
	defer s.follower.mu.Unlock()
	f(s.follower.position())
}

// State says what a call of Next has found.
type State int

// The states.
const (
	Some    State = iota // entries were returned
	AtHead               // nothing follows the position: it is the head, or ahead of it
	Missing              // the entries are not in memory; Fill reads them
	Gone                 // the position is not a place of the log any more; see Find
)

// Next returns the entries after a position that are in memory, at most as many as entries and bytes
// allow, and at least one if there is one. It never waits. The list belongs to the caller.
func (s *Subscription) Next(p Position, entries, bytes int) ([]*Entry, State) {
	s.follower.mu.Lock()
	defer s.follower.mu.Unlock()
	list, state := s.follower.find(p)
	return page(list, entries, bytes), state
}

// Fill reads the entries after a position from the store, at most once for all callers of a topic, and
// calls done when Next has an answer other than Missing. While the store fails, it is read again and
// again. done must not block; it is called from another goroutine, without locks, and never after
// Close, or when all subscriptions of the topic have ended.
func (s *Subscription) Fill(p Position, done func()) {
	s.follower.mu.Lock()
	defer s.follower.mu.Unlock()
	s.follower.fillAfter(p, done)
}

// fillAfter is Fill for a caller that holds f.mu.
func (f *follower) fillAfter(p Position, done func()) {
	f.want(func(r *reads) { r.fills = append(r.fills, fillWant{place: p, done: done}) })
}
