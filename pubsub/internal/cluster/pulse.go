package cluster

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Pulse judges whether a broker still delivers, by messages that a node sends to itself
// through it, its beats. It judges the broker alone: time does not count in which this node
// was late itself, had not written the beat yet, or was busy reading what came before it.
//
// A broker that delivers nothing is found two beats after it fell silent, at the latest,
// and one that delivers everything but the beats after twelve. A node whose timers fire
// late does not judge.
type Pulse struct {
	step    time.Duration
	entered atomic.Int64 // messages that came, and those of them that were taken
	left    atomic.Int64
	sent    atomic.Int64

	mu      sync.Mutex
	due     time.Time // of the next Tick
	asked   time.Time // the oldest beat that has not come back; zero when there is none
	written bool      // that one was
	still   int       // ticks in which nothing moved, since then
	all     int       // ticks in which this node was on time, since then
	last    [3]int64  // of entered, left and sent, at the last tick
}

const (
	pulseSteps = 8               // ticks in a beat
	pulseStill = 7               // ticks without a sign of life
	pulseMost  = 12 * pulseSteps // ticks without a beat
	// leastStep keeps the timers of a machine that has other work from looking late.
	leastStep = 25 * time.Millisecond
)

// NewPulse makes a Pulse for a node that has a beat so often.
func NewPulse(every time.Duration) *Pulse {
	return &Pulse{step: max(every/pulseSteps, leastStep), due: time.Now()}
}

// Step is how often Tick must be called.
func (p *Pulse) Step() time.Duration { return p.step }

// Enter says that a message came, and Leave that it was taken. Between the two the reader
// waits for this node.
func (p *Pulse) Enter() { p.entered.Add(1) }

// Leave is the other end of Enter.
func (p *Pulse) Leave() { p.left.Add(1) }

// Sent says that the broker took something.
func (p *Pulse) Sent() { p.sent.Add(1) }

// Asked says that a beat is on its way to the broker.
func (p *Pulse) Asked(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked.IsZero() {
		p.asked, p.written, p.still, p.all = now, false, 0, 0
	}
}

// Written says that the broker took the beat.
func (p *Pulse) Written() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = true
}

// Heard says that a beat came back, or that the connection is a new one.
func (p *Pulse) Heard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = time.Time{}
}

// Tick looks. It returns by how much this node is late, if that is much, and for how long
// the broker has been silent, if that is too long. Then it begins anew.
func (p *Pulse) Tick(now time.Time) (late, silent time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	late = now.Sub(p.due)
	p.due = now.Add(p.step)
	if late <= p.step {
		late = 0
	}
	before := p.last
	p.last = [3]int64{p.entered.Load(), p.left.Load(), p.sent.Load()}
	read := p.last[0] != before[0] || p.last[1] != before[1]
	switch {
	case p.asked.IsZero():
		return late, 0
	case late > 0, !read && p.last[0] != p.last[1]: // late, or the reader waits for this node
		p.still, p.all = 0, 0
	case read, !p.written && p.last[2] != before[2]:
		p.still = 0
		p.all++
	default:
		p.still++
		p.all++
	}
	if p.still < pulseStill && p.all < pulseMost {
		return late, 0
	}
	silent = now.Sub(p.asked)
	p.asked = time.Time{}
	return late, silent
}
