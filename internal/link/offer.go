package link

import (
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/transport"
)

// Offer implements ability.Offerer: it is Send for a frame that can wait; see pace.Offer.
func (c *conn) Offer(f transport.Frame) (again <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := len(f.Bytes()); {
	case c.ended:
		return nil, pace.ErrClosed
	case n > c.lim.queueBytes/4*3:
		return nil, pace.ErrTooLarge
	case !c.queue.spares(n, c.lim):
		return c.waitersLocked().Low(), nil
	case n > 0:
		c.pushLocked(f)
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
func (c *conn) isLowLocked() bool { return c.ended || c.queue.low(c.lim) }

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
		c.low.Wake(&c.group.tasks)
		c.low = nil
	}
}
