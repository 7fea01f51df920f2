package websocket

import (
	"time"

	"github.com/bennu-go/bennu/transport"
)

// chunk is how much a socket without raw is given at once. Each must be taken
// within the write timeout.
const chunk = 16 << 10

// wait leaves the rest of a batch, and all that is queued until then, to a
// goroutine that may wait for the socket. The caller has the role of the writer.
func (c *conn) wait(b *batch) {
	rest := *b
	*b = batch{}
	c.srv.goroutines.Add()
	go c.writeWaiting(rest)
}

// writeWaiting writes until nothing is queued.
func (c *conn) writeWaiting(b batch) {
	defer c.srv.goroutines.Done()
	var step func(*batch) (progress, error)
	if c.raw != nil {
		step = c.stepRaw()
	} else {
		step = c.stepChunk
	}
	for {
		if c.lim.write > 0 {
			_ = c.nc.SetWriteDeadline(time.Now().Add(c.lim.write))
		}
		done, err := step(&b)
		if err != nil {
			reason := transport.ErrLost
			if isTimeout(err) {
				reason = transport.ErrSlowConsumer
			}
			c.writeFailed(&b, reason)
			return
		}
		c.mu.Lock()
		if c.settleLocked(&b, done); b.done() {
			b.free()
			if c.q.empty() {
				if c.lim.write > 0 {
					// One that is left would fail a later write.
					_ = c.nc.SetWriteDeadline(time.Time{})
				}
				c.releaseLocked()
				return
			}
			b = c.q.take()
		}
		c.mu.Unlock()
	}
}

// stepRaw returns a function that waits until the socket takes something. While it
// waits it holds no scratch memory.
func (c *conn) stepRaw() func(*batch) (progress, error) {
	var (
		b    *batch
		done progress
		fail error
	)
	try := func(fd uintptr) bool {
		f := flushers.Get().(*flusher)
		f.b = b
		f.writeAll(fd)
		done, fail = f.done, f.err
		f.free()
		return fail != nil || done.bytes > 0
	}
	return func(next *batch) (progress, error) {
		b, done, fail = next, progress{}, nil
		if err := c.raw.Write(try); err != nil {
			return done, err
		}
		return done, fail
	}
}

// stepChunk writes one chunk to a socket that can only be written to by waiting.
func (c *conn) stepChunk(b *batch) (progress, error) {
	p := b.frame(b.i)[b.off:]
	if b.i < b.len()-1 && len(p) < chunk {
		f := flushers.Get().(*flusher)
		defer f.free()
		buf := f.buf[:0]
		for i, off := b.i, b.off; i < b.len() && len(buf) < chunk; i, off = i+1, 0 {
			p := b.frame(i)[off:]
			buf = append(buf, p[:min(len(p), chunk-len(buf))]...)
		}
		p = buf
	}
	n, err := c.nc.Write(p[:min(len(p), chunk)])
	return b.advance(n), err
}
