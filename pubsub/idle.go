package pubsub

import (
	"sync"
	"time"
)

// idleTopics ends the interest in a topic some time after its last subscription has ended, so that
// a client that reloads its page causes no traffic with the broker, and misses nothing.
type idleTopics struct {
	linger time.Duration

	mu     sync.Mutex
	queue  []idleTopic // in order of time
	timer  *time.Timer // runs while queue is not empty
	closed bool
	sweeps sync.WaitGroup
}

// idleTopic is a topic whose last subscription has ended. The interest in it ends at until, unless
// its round has changed by then.
type idleTopic struct {
	t     *topic
	round uint32
	until time.Time
}

// addIdle adds a topic whose last subscription has ended. The caller holds the lock of its shard.
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

// sweepIdle ends the interest in the topics that are due.
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

// closeIdle stops the timer and waits for a sweep that runs.
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
