package pubsub

import (
	"sync"
	"time"
)

// idleTopics gives interest up a moment after the last subscription ended: a
// client that reloads its page, or a channel that is joined again, costs the broker
// nothing, and misses nothing.
type idleTopics struct {
	linger time.Duration

	mu     sync.Mutex
	queue  []idleTopic // by time
	timer  *time.Timer // runs while the queue is not empty
	closed bool
	sweeps sync.WaitGroup
}

// idleTopic is a topic that was left, and in which of its idle times.
type idleTopic struct {
	t     *topic
	round uint32
	until time.Time
}

// add is called with the lock of the topic's shard held.
func (p *PubSub) addIdle(t *topic) {
	i := &p.idle
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return
	}
	i.queue = append(i.queue, idleTopic{t, t.round, time.Now().Add(i.linger)})
	if len(i.queue) == 1 {
		i.sweeps.Add(1)
		i.timer = time.AfterFunc(i.linger, p.sweepIdle)
	}
}

// sweepIdle forgets the topics whose time has come.
func (p *PubSub) sweepIdle() {
	i := &p.idle
	defer i.sweeps.Done()
	i.mu.Lock()
	now := time.Now()
	n := 0
	for n < len(i.queue) && !i.queue[n].until.After(now) {
		n++
	}
	due := i.queue[:n:n]
	i.queue = i.queue[n:]
	switch {
	case i.closed:
	case len(i.queue) == 0:
		i.queue = nil
	default:
		i.sweeps.Add(1)
		i.timer = time.AfterFunc(i.queue[0].until.Sub(now), p.sweepIdle)
	}
	i.mu.Unlock()

	for _, d := range due {
		sh := p.shard(d.t.name)
		sh.mu.Lock()
		if len(d.t.subs) == 0 && d.t.round == d.round {
			delete(sh.topics, d.t.name)
			p.adapter.Forget(d.t.name)
		}
		sh.mu.Unlock()
	}
}

// closeIdle waits for a sweep that runs.
func (p *PubSub) closeIdle() {
	i := &p.idle
	i.mu.Lock()
	i.closed = true
	if i.timer != nil && i.timer.Stop() {
		i.sweeps.Done()
	}
	i.mu.Unlock()
	i.sweeps.Wait()
}
