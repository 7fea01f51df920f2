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
		return c.awaitLowLocked(), nil
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
	if c.ended || c.queue.low(c.lim) {
		return nil
	}
	return c.awaitLowLocked()
}

// awaitLowLocked returns the channel that lowLocked closes.
func (c *conn) awaitLowLocked() <-chan struct{} {
	if c.low == nil {
		c.low = make(chan struct{})
	}
	return c.low
}

// lowLocked closes the channel of awaitLowLocked if the queue is low or the connection has ended.
func (c *conn) lowLocked() {
	if c.low != nil && (c.ended || c.queue.low(c.lim)) {
		close(c.low)
		c.low = nil
	}
}
