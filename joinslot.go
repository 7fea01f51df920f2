package bennu

import (
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/wire"
)

// A join holds a slot of NodeLimits.Joins while Join runs. When its outcome is decided before Join
// returns, it gives the slot back and counts for its pattern of topics instead.

// takeSlot waits for a slot of NodeLimits.Joins. When there is none it answers, and reports
// false.
func (j *joinCall) takeSlot() bool {
	a := j.s.node.admission
	if !a.joins.Acquire(j.s.node.ctx) {
		j.at().say(notice.JoinsBusy, slog.Int("limit", a.limits.Joins))
		j.answer(j.m.JoinRef, wire.StatusError, busy)
		return false
	}
	j.slot.Store(true)
	return true
}

// releaseSlot reports whether the slot was still there.
func (j *joinCall) releaseSlot() bool {
	was := j.slot.CompareAndSwap(true, false)
	if was {
		j.s.node.admission.joins.Release()
	}
	return was
}

// overdue takes the slot from a callback that nobody waits for any more: it must not be in the
// way of other patterns, and counts for its own until it returns.
func (j *joinCall) overdue() {
	if j.releaseSlot() {
		j.s.handler.route(j.m.Topic).lateJoins.Add(1)
	}
}

// callbackOver follows the end of the callback, overdue or not.
func (j *joinCall) callbackOver() {
	if !j.releaseSlot() {
		j.s.handler.route(j.m.Topic).lateJoins.Add(-1)
	}
}
