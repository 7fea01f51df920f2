package websocket

import (
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
)

// readBuffer is where a read goes. No connection holds one while it waits.
type readBuffer [16 << 10]byte

var (
	readBuffers = sync.Pool{New: func() any { return new(readBuffer) }}
	parsers     = sync.Pool{New: func() any { return new(parser) }}
)

// lingerBytes is how much a closed connection reads and throws away at most.
const lingerBytes = 4 << 20

// consume gives what was read to the receiver. Meanwhile the reader is the
// writer, so that all answers are written together at its end. When the receiver
// takes no more for now, the result is what is left, which is still the caller's,
// and what to hold for.
func (c *conn) consume(p []byte) (rest []byte, resume <-chan struct{}) {
	if c.ps == nil {
		c.ps = parsers.Get().(*parser)
		c.ps.maxMessage, c.ps.maxFragments = c.lim.maxMessage, c.lim.maxFragments
	}
	c.cork()
	messages, bytes := 0, 0
	for len(p) > 0 && !c.ended.Load() && resume == nil {
		n, ev, err := c.ps.feed(p)
		p = p[n:]
		if err != nil {
			c.violated(err)
			break
		}
		switch ev.kind {
		case evMessage:
			messages++
			bytes += len(ev.data)
			resume = notYet(c.receiver.Receive(ev.op, ev.data))
		case evPing:
			if c.countControl() {
				c.send(ev.data)
			}
		case evPong:
			if c.owed {
				c.owed = false
			} else {
				c.countControl()
			}
		case evClose:
			c.shut(transport.CloseNormal, transport.ErrClientClosed)
		}
	}
	if c.ps.idle() && !c.ended.Load() {
		parsers.Put(c.ps)
		c.ps = nil
	}
	if messages > 0 {
		c.srv.stats.In(messages, bytes)
	}
	c.uncork()
	return p, resume
}

// consumeInTurn is consume behind the floodgate.
func (c *conn) consumeInTurn(p []byte) (rest []byte, resume <-chan struct{}) {
	v := c.srv.floodgate.enter()
	defer c.srv.floodgate.leave(v)
	rest, resume = c.consume(p)
	c.hear() // it was not listened to
	return rest, resume
}

// notYet returns ch, or nil if it is closed already.
func notYet(ch <-chan struct{}) <-chan struct{} {
	select {
	case <-ch:
		return nil
	default:
		return ch
	}
}

// While a connection is held, and so not read from, it is looked at whether its client has gone:
// after firstLook, and more and more seldom up to lookEvery. It is held for holdMost at most.
const (
	firstLook = 100 * time.Millisecond
	lookEvery = time.Second
	holdMost  = 15 * time.Minute
)

// hold waits until the receiver takes messages again, or for the end of the
// connection. Nothing is read meanwhile, and no buffer is held.
func (c *conn) hold(resume <-chan struct{}) {
	c.mu.Lock()
	if c.ended.Load() {
		c.mu.Unlock()
		return
	}
	wake := make(chan struct{})
	c.wake = wake
	c.mu.Unlock()
	c.holdUntil(resume, wake)
	c.mu.Lock()
	c.wake = nil
	c.mu.Unlock()
	c.hear() // it was not listened to
}

// holdUntil waits for resume, or for wake, which the end of the connection closes. A client that
// has closed its side has ended the connection, as when it is read: nothing else may tell of it.
func (c *conn) holdUntil(resume, wake <-chan struct{}) {
	began, wait := c.srv.now(), firstLook
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-resume:
			return
		case <-wake:
			return
		case <-timer.C:
		}
		switch {
		case c.engine.hungUp():
			c.lost(transport.ErrLost, false)
		case c.srv.now()-began >= holdMost:
			c.srv.book.Say(notice.NotRead, c.about(slog.Duration("limit", holdMost), slog.Int("code", int(transport.CloseTryAgainLater)))...)
			c.shut(transport.CloseTryAgainLater, &transport.ClosedError{Code: transport.CloseTryAgainLater})
		}
		wait = min(2*wait, lookEvery)
		timer.Reset(wait)
	}
}

// violated closes the connection for what the client sent.
func (c *conn) violated(err error) {
	code := transport.CloseProtocolError
	if v, ok := err.(*violation); ok {
		code = v.code
	}
	attrs := c.about(slog.String("error", err.Error()), slog.Int("code", int(code)))
	switch {
	case err == errTooBig:
		c.srv.book.Say(notice.TooBig, append(attrs, slog.Int("limit", c.lim.maxMessage))...)
	case code == transport.ClosePolicy:
		c.srv.book.Say(notice.Fragments, append(attrs, slog.Int("limit", c.lim.maxFragments))...)
	default:
		c.srv.book.Say(notice.Protocol, attrs...)
	}
	c.shut(code, &transport.ClosedError{Code: code})
}

// about adds what the receiver knows of the connection to the attributes of a line.
func (c *conn) about(attrs ...slog.Attr) []slog.Attr {
	if r, ok := c.receiver.(ability.Describer); ok {
		return r.About(attrs...)
	}
	return attrs
}

// countControl counts a ping or pong and reports whether it is within the rate.
func (c *conn) countControl() bool {
	if c.heard-c.ctlFrom >= time.Second {
		c.ctlFrom, c.controls = c.heard, 0
	}
	if c.controls++; c.controls <= c.lim.controlRate {
		return true
	}
	c.srv.book.Say(notice.ControlFrames, c.about(slog.Int("limit", c.lim.controlRate), slog.Int("code", int(transport.ClosePolicy)))...)
	c.shut(transport.ClosePolicy, &transport.ClosedError{Code: transport.ClosePolicy})
	return false
}

func (c *conn) cork() {
	c.mu.Lock()
	c.corked = c.claimLocked(writerBusy)
	c.mu.Unlock()
}

// uncork flushes what was queued under cork.
func (c *conn) uncork() {
	if !c.corked {
		return
	}
	c.corked = false
	c.mu.Lock()
	if c.q.empty() {
		c.idleLocked()
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	f := flushers.Get().(*flusher)
	f.flush(c)
	c.srv.count(f)
	f.free()
}

// crashed closes the connection whose receiver panicked with v, or called
// runtime.Goexit when that is nil.
func (c *conn) crashed(v any) {
	c.panicked(v)
	c.shut(transport.CloseInternalError, &transport.ClosedError{Code: transport.CloseInternalError})
}

// tellEnd writes the last answers and tells the receiver why the connection ended.
func (c *conn) tellEnd() {
	c.uncork()
	c.ps = nil
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	defer func() {
		c.srv.linger(c)
		if v := recover(); v != nil {
			c.panicked(v)
		}
	}()
	c.receiver.Closed(reason)
}

// panicked says that the receiver panicked with v, or called runtime.Goexit when that is nil.
func (c *conn) panicked(v any) {
	if v == nil {
		v = "runtime.Goexit"
	}
	c.srv.book.Say(notice.WebSocketReceiver, c.about(slog.Any("panic", v), redact.StackAttr())...)
}
