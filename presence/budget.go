package presence

import "time"

// budget bounds the bytes of diffs that are sent to the clients of a room regardless of their
// queues. Clients that read at the usual speed keep up with it. Changes that do not fit wait, and
// are merged.
type budget struct {
	left int           // may be negative after a message
	at   time.Duration // of the last refill
}

const (
	budgetBurst = 256 << 10
	budgetRate  = 512 << 10 // per second
)

// refill adds the bytes for the time since the last refill.
func (b *budget) refill(now time.Duration) {
	b.left = int(min(budgetBurst, float64(b.left)+(now-b.at).Seconds()*budgetRate))
	b.at = now
}

// wait returns the time until the next message may be sent, 0 if it may be now.
func (b *budget) wait(now time.Duration) time.Duration {
	b.refill(now)
	if b.left > 0 {
		return 0
	}
	return time.Duration(float64(maxMessageBytes-b.left) / budgetRate * float64(time.Second))
}

func (b *budget) spend(n int) { b.left -= n }

// full reports whether the budget does not differ from a new one.
func (b *budget) full(now time.Duration) bool {
	b.refill(now)
	return b.left >= budgetBurst
}
