package websocket

import (
	"time"

	"github.com/bennu-go/bennu/transport"
)

// chunk is how many bytes one write passes to a socket that must be used through net.Conn. The
// client must take each chunk within the write timeout.
const chunk = 16 << 10

// write implements engine. Without raw, the socket cannot be written to without waiting, so it
// leaves all to wait.
func (a *parked) write(f *flusher) error {
	if a.raw == nil {
		return nil
	}
	if err := a.raw.Write(f.write); err != nil {
		return err
	}
	return f.err
}

// closeWrite implements engine.
func (a *parked) closeWrite() bool {
	half, ok := a.nc.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// idleLocked implements engine. The reader closes the socket, whoever is the writer.
func (a *parked) idleLocked() {}

// wait implements engine. A goroutine writes the rest of the batch, and all that is queued
// meanwhile.
func (a *parked) wait(b *batch) {
	rest := *b
	*b = batch{}
	a.srv.goroutines.Add()
	go a.writeWaiting(rest)
}

// writeWaiting writes until nothing is queued, waiting for the socket. It is the writer until then.
func (a *parked) writeWaiting(b batch) {
	defer a.srv.goroutines.Done()
	var step func(*batch) (progress, error)
	if a.raw != nil {
		step = a.stepRaw()
	} else {
		step = a.stepChunk
	}
	for {
		if a.lim.write > 0 {
			_ = a.nc.SetWriteDeadline(time.Now().Add(a.lim.write))
		}
		done, err := step(&b)
		if err != nil {
			reason := transport.ErrLost
			if isTimeout(err) {
				reason = transport.ErrSlowConsumer
			}
			a.writeFailed(&b, reason)
			return
		}
		a.srv.stats.Out(done.msgs, done.bytes, done.writes)
		a.mu.Lock()
		if a.wroteLocked(&b, done); b.done() {
			b.free()
			if a.q.empty() {
				if a.lim.write > 0 {
					// Otherwise a later write would fail by it.
					_ = a.nc.SetWriteDeadline(time.Time{})
				}
				a.releaseLocked()
				return
			}
			b = a.q.take()
		}
		a.mu.Unlock()
	}
}

// stepRaw returns a function that waits until the socket takes something, and writes. While it
// waits it holds no flusher.
func (a *parked) stepRaw() func(*batch) (progress, error) {
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
		if err := a.raw.Write(try); err != nil {
			return done, err
		}
		return done, fail
	}
}

// stepChunk writes one chunk to a socket that must be used through net.Conn. Small frames are
// copied together.
func (a *parked) stepChunk(b *batch) (progress, error) {
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
	n, err := a.nc.Write(p[:min(len(p), chunk)])
	done := b.advance(n)
	done.writes = 1
	return done, err
}
