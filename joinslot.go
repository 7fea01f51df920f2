package bennu

import (
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
)

// A join holds a slot of NodeLimits.Joins while Join runs. When its outcome is decided before Join
// returns, it releases the slot and counts for its topic pattern until Join returns. So joins that
// hang use up the limit of their own pattern and not the slots of others.

// takeSlot waits for a slot, admissionWait at most. If it gets none, it answers "busy" and reports
// false.
func (j *joinCall) takeSlot() bool {
	a := j.s.node.admission
	if !a.joins.Acquire(j.s.node.ctx) {
		j.at().say(notice.JoinsBusy, slog.Int("limit", a.limits.Joins))
		j.answer(j.m.JoinRef, protocol.StatusError, busy)
		return false
	}
	j.slot.Store(true)
	return true
}

// releaseSlot releases the slot if the join still holds it, and reports whether it did.
func (j *joinCall) releaseSlot() bool {
	was := j.slot.CompareAndSwap(true, false)
	if was {
		j.s.node.admission.joins.Release()
	}
	return was
}

// overdue releases the slot of a Join that runs on after its outcome was decided, and counts it for
// its pattern.
func (j *joinCall) overdue() {
	if j.releaseSlot() {
		j.s.handler.route(j.m.Topic).lateJoins.Add(1)
	}
}

// callbackOver is called when Join has returned, overdue or not.
func (j *joinCall) callbackOver() {
	if !j.releaseSlot() {
		j.s.handler.route(j.m.Topic).lateJoins.Add(-1)
	}
}
