package cluster

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Pulse finds out whether a broker still delivers, by messages that a node sends to itself through
// it, its beats. Time does not count in which this node was late itself, had not yet written the
// beat, or was busy with messages that were received before the beat.
//
// A broker that delivers nothing is noticed at most two beats after its last sign of life, and one
// that delivers everything but the beats after twelve. A node whose timers fire late notices
// nothing.
type Pulse struct {
	step    time.Duration
	entered atomic.Int64 // number of received messages
	left    atomic.Int64 // number of those that the node has taken
	sent    atomic.Int64 // number of batches that the broker has accepted

	mu      sync.Mutex
	due     time.Time // of the next Tick
	asked   time.Time // of the oldest beat that has not come back; zero if there is none
	written bool      // the broker has accepted that beat
	still   int       // ticks since asked in which nothing was received or sent
	all     int       // ticks since asked in which this node was on time
	last    [3]int64  // entered, left and sent at the last tick
}

const (
	pulseSteps = 8               // ticks in a beat
	pulseStill = 7               // bounds still
	pulseMost  = 12 * pulseSteps // bounds all
	// leastStep is long enough that timers of a busy machine do not count as late.
	leastStep = 25 * time.Millisecond
)

// NewPulse makes a Pulse for the time between two beats.
func NewPulse(every time.Duration) *Pulse {
	return &Pulse{step: max(every/pulseSteps, leastStep), due: time.Now()}
}

// Step returns the time between two calls of Tick.
func (p *Pulse) Step() time.Duration { return p.step }

// Enter is called when a message is received, and Leave when the node has taken it. In between, later
// messages wait for this node.
func (p *Pulse) Enter() { p.entered.Add(1) }

// Leave ends Enter.
func (p *Pulse) Leave() { p.left.Add(1) }

// Sent is called when the broker has accepted messages.
func (p *Pulse) Sent() { p.sent.Add(1) }

// Asked is called when a beat is queued.
func (p *Pulse) Asked(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked.IsZero() {
		p.asked, p.written, p.still, p.all = now, false, 0, 0
	}
}

// Written is called when the broker has accepted a beat.
func (p *Pulse) Written() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = true
}

// Heard is called when a beat has come back, or the connection is new.
func (p *Pulse) Heard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = time.Time{}
}

// Tick judges. It returns the time by which this node is late, if that is more than a step, and the
// time for which the broker was silent, if that is too long; then it starts over.
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
