package websocket

import (
	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/transport"
)

// A connection has these abilities; see package ability.
var (
	_ ability.Offerer  = (*conn)(nil)
	_ ability.Lingerer = (*conn)(nil)
)

// low reports whether at most a quarter of the queue is in use.
func (q *queue) low(l *limits) bool {
	return q.bytes <= l.queueBytes/4 && q.msgs <= l.queueMsgs/4
}

// spares reports whether at least half of the queue stays free with another frame of n bytes. A low
// queue takes any frame for which Offer does not return pace.ErrTooLarge.
func (q *queue) spares(n int, l *limits) bool {
	return q.low(l) || n <= l.queueBytes/2-q.bytes && q.msgs < l.queueMsgs/2
}

// Offer implements ability.Offerer: it is Send for a frame that can wait; see pace.Offer.
func (c *conn) Offer(f transport.Frame) (again <-chan struct{}, err error) {
	b := f.Bytes()
	c.mu.Lock()
	switch {
	case c.ended.Load():
		c.mu.Unlock()
		return nil, pace.ErrClosed
	case len(b) > c.lim.queueBytes/4*3:
		c.mu.Unlock()
		return nil, pace.ErrTooLarge
	case !c.q.spares(len(b), c.lim):
		defer c.mu.Unlock()
		return c.waitersLocked().Low(), nil
	}
	c.q.push(b)
	flush := c.claimLocked(writerScheduled)
	c.mu.Unlock()
	if flush {
		c.srv.schedule(c)
	}
	return nil, nil
}

// Low implements ability.Offerer. It returns nil when the queue is low or the connection has ended;
// see pace.Low.
func (c *conn) Low() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isLowLocked() {
		return nil
	}
	return c.waitersLocked().Low()
}

// OnLow implements ability.Offerer.
func (c *conn) OnLow(f func()) (low bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isLowLocked() {
		return true
	}
	c.waitersLocked().Call(f)
	return false
}

// isLowLocked reports whether the queue is low or the connection has ended.
func (c *conn) isLowLocked() bool { return c.ended.Load() || c.q.low(c.lim) }

// waitersLocked returns those that lowLocked wakes.
func (c *conn) waitersLocked() *pace.Waiters {
	if c.low == nil {
		c.low = new(pace.Waiters)
	}
	return c.low
}

// lowLocked wakes those who wait, if the queue is low or the connection has ended.
func (c *conn) lowLocked() {
	if c.low != nil && c.isLowLocked() {
		c.low.Wake(&c.srv.goroutines)
		c.low = nil
	}
}
