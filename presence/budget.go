package presence

import "time"

// budget bounds the bytes of diffs that the clients of a room are sent without a look at
// their queues, so that healthy ones have read them before those are full. Changes that wait
// are told as one.
type budget struct {
	left int
	at   time.Duration
}

const (
	budgetBurst = 256 << 10
	budgetRate  = 512 << 10 // a second
)

func (b *budget) refill(now time.Duration) {
	b.left = int(min(budgetBurst, float64(b.left)+(now-b.at).Seconds()*budgetRate))
	b.at = now
}

// wait is how long it is until something may be sent.
func (b *budget) wait(now time.Duration) time.Duration {
	b.refill(now)
	if b.left > 0 {
		return 0
	}
	return time.Duration(float64(maxMessageBytes-b.left) / budgetRate * float64(time.Second))
}

func (b *budget) spend(n int) { b.left -= n }

func (b *budget) full(now time.Duration) bool {
	b.refill(now)
	return b.left >= budgetBurst
}
