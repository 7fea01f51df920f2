package follow

import "context"

// Subscription is the subscription of one subscriber to a kept topic. All methods may be called from
// any goroutine.
type Subscription struct{}

// Ready returns a channel that is closed when the head is known and no later entry of any node can be
// missed, or nil if that is so already. Call it again when the channel is closed, as that of
// pubsub.Subscription.
func (s *Subscription) Ready() <-chan struct{} { panic("follow: not written yet") }

// Cancel ends the subscription. A delivery that has begun may still arrive.
func (s *Subscription) Cancel() { panic("follow: not written yet") }

// Head returns the position of the last entry that was taken. Before Ready it is zero.
func (s *Subscription) Head() Position { panic("follow: not written yet") }

// Join calls f with the head, under the lock of the follower: every entry after that position is
// delivered after f has returned, and none before it. f may take the locks of its channel and
// connection, and must not call the follower.
func (s *Subscription) Join(f func(head Position)) { panic("follow: not written yet") }

// Reason says why a position is not a place of the log.
type Reason string

// The reasons. They go to clients.
const (
	ReasonEpoch   Reason = "epoch"   // of another epoch
	ReasonExpired Reason = "expired" // older than what is kept
	ReasonUnknown Reason = "unknown" // no entry there
)

// Find looks for a position. It returns how many entries follow it, up to limit+1, or the reason why
// the position is not a place of the log. It reads the store if need be, at most once for all callers
// of a topic, and waits for an answer until ctx ends; then err is its cause. The position may be ahead
// of the head, if this node has not heard of its entry yet.
func (s *Subscription) Find(ctx context.Context, p Position, limit int) (after int, reason Reason, err error) {
	panic("follow: not written yet")
}

// Back returns the position n entries before the head, or that of the oldest place if there are fewer.
// It reads the store if need be, until ctx ends; then err is its cause.
func (s *Subscription) Back(ctx context.Context, n int) (Position, error) {
	panic("follow: not written yet")
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
	panic("follow: not written yet")
}

// Fill reads the entries after a position from the store, at most once for all callers of a topic, and
// calls done when Next has an answer other than Missing, or when the store has failed and Fill may be
// tried again. done must not block.
func (s *Subscription) Fill(p Position, done func()) { panic("follow: not written yet") }
