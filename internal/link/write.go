package link

import (
	"os"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// writeLocked starts the writer if it does not run and there is something to write.
func (c *conn) writeLocked() {
	if c.writing || c.cut || c.queue.empty() && (!c.ended || c.flushed) {
		return
	}
	c.writing = true
	c.startLocked((*conn).write)
}

// write is the writer. It ends when nothing is left to write.
func (c *conn) write() {
	defer func() { // also when a method of the link ends this goroutine
		c.mu.Lock()
		c.writing, c.writeBy = false, 0
		c.mu.Unlock()
	}()
	for {
		frames, code, deadline := c.nextWrite()
		switch {
		case frames != nil:
			c.wrote(c.call("Write", func() error { return c.writeOut(frames, deadline) }))
		case code != 0:
			c.flush(code)
		default:
			return
		}
	}
}

// nextWrite returns the next task of the writer: frames to write, or a code to close with. If there
// is neither, the writer must end.
func (c *conn) nextWrite() (frames []transport.Frame, code transport.CloseCode, deadline time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cut:
	case !c.queue.empty():
		frames = c.queue.take()
		c.writeBy = c.deadlineLocked()
	case c.ended && !c.flushed:
		code = c.code
		c.writeBy = c.closeBy
	}
	if frames == nil && code == 0 {
		c.writing, c.writeBy = false, 0 // here, so that the next frame starts another writer
	}
	if c.writeBy != 0 {
		deadline = c.group.at(c.writeBy)
		c.armLocked()
	}
	return frames, code, deadline
}

// deadlineLocked returns when the batch must be written; 0 is no deadline.
func (c *conn) deadlineLocked() time.Duration {
	now := c.group.now()
	switch {
	case c.ended:
		return c.closeBy
	case c.lim.write == 0:
		return 0
	}
	parts := max(1, time.Duration(c.queue.taken+batchBytes-1)/batchBytes)
	return now + min(parts, (never-now)/2/c.lim.write)*c.lim.write // half, so that a time.Time can be that much later
}

// wrote acts on the result of Write. A timeout means a slow client, any other error a lost
// connection.
func (c *conn) wrote(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := c.writeBy != 0 && c.group.now() >= c.writeBy
	c.writeBy = 0
	bytes, frames := c.queue.wrote()
	c.lowLocked()
	switch {
	case err == nil:
		c.group.stats.Out(frames, bytes, 1)
	case c.ended:
		c.cutLocked()
	case late || err == os.ErrDeadlineExceeded:
		c.endLocked(0, transport.ErrSlowConsumer)
	default:
		c.endLocked(0, transport.ErrLost)
	}
}

// flush calls Link.Close with the code, when the queue is written.
func (c *conn) flush(code transport.CloseCode) {
	err := c.call("Close", func() error { return c.link.Close(code) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeBy, c.flushed = 0, true
	if err != nil {
		c.cutLocked()
		return
	}
	c.closeBy = c.group.now() + c.lim.linger
	c.cutIfDoneLocked()
	c.armLocked()
}
