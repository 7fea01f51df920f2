package presence

import "time"

// budget bounds the bytes of diffs that a room sends without asking for the queues of its clients.
// Clients that read at a usual speed keep up with it. Changes that do not fit wait, and are merged.
type budget struct {
	left int           // bytes; may be negative after a message
	at   time.Duration // of the last refill
}

// A full budget in bytes, and the bytes by which it grows in a second.
const (
	budgetBurst = 256 << 10
	budgetRate  = 512 << 10
)

// refill adds the bytes for the time since the last refill.
func (b *budget) refill(now time.Duration) {
	b.left = int(min(budgetBurst, float64(b.left)+(now-b.at).Seconds()*budgetRate))
	b.at = now
}

// wait returns the time until there is room for a whole message, or 0 if a message may be sent now.
func (b *budget) wait(now time.Duration) time.Duration {
	b.refill(now)
	if b.left > 0 {
		return 0
	}
	return time.Duration(float64(maxMessageBytes-b.left) / budgetRate * float64(time.Second))
}

// spend subtracts a message of n bytes.
func (b *budget) spend(n int) { b.left -= n }

// full reports whether the budget is equal to a new one.
func (b *budget) full(now time.Duration) bool {
	b.refill(now)
	return b.left >= budgetBurst
}
