package follow

import (
	"container/heap"
	"sync"
	"time"
)

// alarms call followers at a time. One timer serves all of them: a timer for each hole would cost more than
// the holes, most of which have closed when it fires.
type alarms struct {
	all    *Followers
	mu     sync.Mutex
	list   alarmList
	timer  *time.Timer // runs while the list is not empty, until the first alarm
	closed bool
}

// alarm is for one follower.
type alarm struct {
	at       time.Time
	follower *follower
	kind     alarmKind
	round    uint32 // of alarmIdle: that of the follower when its last subscription ended
}

type alarmKind uint8

const (
	alarmHole  alarmKind = iota // what is missing in the chain is read from the store, if it has not come
	alarmRetry                  // the store has not answered; it is asked again
	alarmIdle                   // a follower without subscriptions ends
)

// act does what an alarm is for.
func (a *alarm) act() {
	switch f := a.follower; a.kind {
	case alarmHole:
		f.hole()
	case alarmRetry:
		f.all.readers.add(f)
	case alarmIdle:
		f.all.drop(f, a.round)
	}
}

// add sets an alarm. The caller may hold the lock of the follower.
func (l *alarms) add(after time.Duration, a alarm) {
	a.at = time.Now().Add(after)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	heap.Push(&l.list, a)
	if l.list[0].at.Equal(a.at) {
		l.arm()
	}
}

// arm sets the timer to the first alarm. The caller holds l.mu.
func (l *alarms) arm() {
	l.disarm()
	if len(l.list) == 0 {
		return
	}
	l.all.tasks.Add() // until run returns, or the timer is stopped
	l.timer = time.AfterFunc(time.Until(l.list[0].at), l.run)
}

// disarm stops the timer. If it has fired, run ends by itself.
func (l *alarms) disarm() {
	if l.timer != nil && l.timer.Stop() {
		l.all.tasks.Done()
	}
	l.timer = nil
}

// run acts on the alarms that are due.
func (l *alarms) run() {
	defer l.all.tasks.Done()
	for {
		l.mu.Lock()
		if l.closed || len(l.list) == 0 {
			l.mu.Unlock()
			return
		}
		if l.list[0].at.After(time.Now()) {
			l.arm()
			l.mu.Unlock()
			return
		}
		a := heap.Pop(&l.list).(alarm)
		l.mu.Unlock()
		// Without the lock: act takes that of a follower, which others hold when they call add.
		a.act()
	}
}

// close drops all alarms. One that is being acted on goes on; Followers.tasks waits for it.
func (l *alarms) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.list = true, nil
	l.disarm()
}

// alarmList is a heap, the first alarm first.
type alarmList []alarm

func (l alarmList) Len() int           { return len(l) }
func (l alarmList) Less(i, j int) bool { return l[i].at.Before(l[j].at) }
func (l alarmList) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *alarmList) Push(a any)        { *l = append(*l, a.(alarm)) }
func (l *alarmList) Pop() any {
	old := *l
	a := old[len(old)-1]
	old[len(old)-1] = alarm{}
	*l = old[:len(old)-1]
	return a
}
