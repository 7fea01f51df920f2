package follow

import (
	"context"
	"math"
)

// rotate ends an epoch of the store, since the store does not know the head: every position of the old
// log is in doubt, on all nodes. The follower goes on where the new log is. The caller holds f.mu, which
// is free meanwhile.
func (f *follower) rotate(epoch string) (passed chan struct{}, err error) {
	was := f.epoch
	var head Position
	f.unlocked(func() { head, err = f.all.rotate(f.name, epoch) })
	if err != nil || f.ended || f.epoch != was { // or the log has begun meanwhile
		return nil, err
	}
	head.Offset = 0 // others may have appended to the new log already
	return f.resetTo(head), nil
}

// rotate rotates the log of a topic, and returns its head afterwards: that of a new log, or of the one that
// another node has begun before.
func (f *Followers) rotate(topic, epoch string) (Position, error) {
	ctx, cancel := context.WithTimeout(f.ctx, sourceTime)
	defer cancel()
	if err := f.o.Source.Rotate(ctx, topic, epoch); err != nil {
		return Position{}, err
	}
	heads, err := f.o.Source.Heads(ctx, []string{topic})
	if err == nil && len(heads) != 1 {
		err = errAnswer
	}
	if err != nil {
		return Position{}, err
	}
	return heads[0], nil
}

// resetTo makes the goroutine that takes go on after a position, and returns a channel that is closed
// when it does, or nil if it did. The caller holds f.mu.
func (f *follower) resetTo(p Position) chan struct{} {
	f.all.rotations.Add(1)
	f.all.sayBroke(f.name, f.position(), p)
	f.reset = &p
	f.drain()
	if f.reset == nil {
		return nil
	}
	return f.passed(math.MaxUint64) // until the chain is cleared
}

// applyReset goes on after a position. The caller holds f.mu, which is free while subscribers are told,
// and is the one goroutine that takes.
func (f *follower) applyReset() {
	p := *f.reset
	f.reset = nil
	f.all.cache.add(-f.entries(), -f.size())
	f.epoch, f.head, f.oldest = p.Epoch, p.Offset, 0
	f.ring, f.old = run{base: f.head}, nil
	if f.chain != nil {
		f.chain.clear()
	}
	// What has come of the new log since p was read was dropped.
	f.repairSoon()
	var done []func()
	if r := f.reads; r != nil {
		r.gone = nil
		done = f.answered()
	}
	s := f.snapshot()
	f.unlocked(func() {
		f.broke(s, p)
		callAll(done)
	})
	f.delivered = p.Offset
}
