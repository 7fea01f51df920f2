package follow

import (
	"context"
	"sync"
	"time"
)

const (
	askTopics = 500 // topics in one call
	askCalls  = 4   // calls at one time
	// sourceTime bounds one call of the Source.
	sourceTime = 5 * time.Second
	// The store is asked again after leastPause, and each time twice as long after that.
	leastPause = 50 * time.Millisecond
	mostPause  = time.Second
)

// asking says whether the head of a follower's log is being asked for.
type asking uint8

const (
	notAsking asking = iota
	askQueued
	askSent
	askSentAgain // and it must be asked for again, since something happened after the call began
)

// asker asks the store for heads, those of many topics in one call, and again until it answers. At most
// askCalls calls run at a time, so a check of 100,000 topics is 200 calls, four at once.
type asker struct {
	all     *Followers
	mu      sync.Mutex
	queue   []*follower
	running int
	most    int // topics in the next call; fewer after an error, in case one topic is the reason
}

// question is about the head of one follower.
type question struct {
	follower *follower
	head     Position // when it was asked
}

// ask asks for the head of the log, by a call that begins after this one. It does nothing before the
// interest is ready: then the follower asks anyway, and an earlier answer would be worth nothing.
func (f *follower) ask() {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.interested:
	case f.asking == notAsking:
		f.asking = askQueued
		f.all.asker.add(f)
	case f.asking == askSent:
		f.asking = askSentAgain
	}
}

// add puts a follower into the queue. The caller holds f.mu.
func (a *asker) add(f *follower) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, f)
	// A call asks for all that wait, so another goroutine helps only if they are too many for one call.
	if a.running < askCalls && (a.running == 0 || len(a.queue) > askTopics) {
		a.running++
		a.all.tasks.Start(a)
	}
}

// next takes followers from the queue. If there is none, the goroutine that calls it ends.
func (a *asker) next() []*follower {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.queue), a.most)
	if n == 0 || a.all.ctx.Err() != nil {
		a.running--
		return nil
	}
	batch := a.queue[:n:n]
	if a.queue = a.queue[n:]; len(a.queue) == 0 {
		a.queue = nil
	}
	return batch
}

// adjust sets the size of the next call. A store may fail for one topic, such as one with a key of another
// type. Smaller calls let the others have their answers, and the size grows again with each answer.
func (a *asker) adjust(answered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answered {
		a.most = min(2*a.most, askTopics)
	} else {
		a.most = max(a.most/2, 1)
	}
}

// Run implements task.Runner. It asks until the queue is empty.
func (a *asker) Run() {
	pause := leastPause
	for batch := a.next(); batch != nil; batch = a.next() {
		list := questions(batch)
		heads, err := a.heads(list)
		a.adjust(err == nil)
		if err == nil {
			pause = leastPause
			for i, q := range list {
				q.follower.answer(q, heads[i])
			}
			continue
		}
		// During the pause another goroutine may ask for these followers.
		a.all.sayRead(list[0].follower.name, len(list), err)
		for _, q := range list {
			q.follower.askAgain()
		}
		a.all.sleep(pause)
		pause = min(2*pause, mostPause)
	}
}

// questions are about those of the followers that have not ended. Each has the head of this moment: the
// head may move on while the store answers, and then an older answer is no sign of a loss.
func questions(batch []*follower) []question {
	list := make([]question, 0, len(batch))
	for _, f := range batch {
		f.mu.Lock()
		if f.ended {
			f.asking = notAsking
		} else {
			f.asking = askSent
			list = append(list, question{f, f.position()})
		}
		f.mu.Unlock()
	}
	return list
}

// heads makes one call of the store.
func (a *asker) heads(list []question) ([]Position, error) {
	if len(list) == 0 {
		return nil, nil
	}
	names := make([]string, len(list))
	for i, q := range list {
		names[i] = q.follower.name
	}
	ctx, cancel := context.WithTimeout(a.all.ctx, sourceTime)
	defer cancel()
	heads, err := a.all.o.Source.Heads(ctx, names)
	if err == nil && len(heads) != len(list) {
		err = errAnswer
	}
	return heads, err
}

// askAgain puts a question that was not answered back.
func (f *follower) askAgain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asking = askQueued
	f.all.asker.add(f)
}

// answer takes the answer to a question. If the store is elsewhere, a read after the head shows what
// was missed.
func (f *follower) answer(q question, head Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	again := f.asking == askSentAgain // what has happened since may not be in this answer
	f.asking = notAsking
	if again && !f.ended {
		f.asking = askQueued
		f.all.asker.add(f)
	}
	switch {
	case f.ended:
	// A message of this node is on its way to the store: Hold.Release begins.
	case !f.started && f.starting != nil && f.starting.holds > 0:
		f.starting.first = &head
	case !f.started:
		f.beginHeld(head)
	// Another log, one that has lost what this node has taken, or one with entries of which it has not heard.
	case head.Epoch != f.epoch, head.Offset < q.head.Offset, head.Offset > f.head:
		f.repairNow(nil)
	}
}
