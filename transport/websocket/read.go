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

// readBuffer is the buffer of one read. No connection holds one while it waits.
type readBuffer [16 << 10]byte

var (
	// Pools, from which a connection takes what it needs while bytes arrive.
	readBuffers = sync.Pool{New: func() any { return new(readBuffer) }}
	parsers     = sync.Pool{New: func() any { return new(parser) }}
)

// lingerBytes bounds the bytes that a closed connection reads and drops.
const lingerBytes = 4 << 20

// consume parses bytes that were read and gives the messages to the receiver. The reader is also
// the writer meanwhile, so that all answers are written together at the end. If the receiver takes
// no more messages for now, consume returns the rest of p, which still belongs to the caller, and a
// channel that is closed when the receiver takes messages again.
//
// It stops at the end of the connection, at a fault of the client, and when the receiver takes no more
// messages. A parser is taken from the pool for the first bytes of a message and given back between
// messages, so that a silent connection holds none.
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
	// Between messages, so the parser can serve another connection.
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

// consumeInTurn is consume, but waits for a place in the floodgate first.
func (c *conn) consumeInTurn(p []byte) (rest []byte, resume <-chan struct{}) {
	v := c.srv.floodgate.enter()
	defer c.srv.floodgate.leave(v)
	rest, resume = c.consume(p)
	c.hear() // the wait does not count as idle
	return rest, resume
}

// notYet returns ch, or nil if ch is closed already.
func notYet(ch <-chan struct{}) <-chan struct{} {
	select {
	case <-ch:
		return nil
	default:
		return ch
	}
}

// While a connection is held, its socket is not read, so hungUp is asked whether the client has
// gone: after firstLook, and then less and less often, down to once in lookEvery. holdMost bounds
// the time for which it is held.
const (
	firstLook = 100 * time.Millisecond
	lookEvery = time.Second
	holdMost  = 15 * time.Minute
)

// hold waits until resume is closed or the connection ends. Nothing is read meanwhile, no buffer is
// held, and the time does not count as idle.
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
	c.hear() // the wait does not count as idle
}

// holdUntil waits for resume, or for wake, which is closed when the connection ends. A client that
// has closed its side ends the connection, as it would if the socket were read.
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

// violated closes the connection because of a fault of the client, and logs it.
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

// about returns attrs with the attributes by which the receiver describes the connection.
func (c *conn) about(attrs ...slog.Attr) []slog.Attr {
	if r, ok := c.receiver.(ability.Describer); ok {
		return r.About(attrs...)
	}
	return attrs
}

// countControl counts a ping or pong and reports whether it is within MaxControlRate. If not, it
// closes the connection.
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

// cork makes the reader the writer, if nobody is, so that frames are only queued until uncork.
func (c *conn) cork() {
	c.mu.Lock()
	c.corked = c.claimLocked(writerBusy)
	c.mu.Unlock()
}

// uncork flushes the frames that were queued since cork.
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

// crashed closes the connection because its receiver panicked with v, or called runtime.Goexit if v
// is nil.
func (c *conn) crashed(v any) {
	c.panicked(v)
	c.shut(transport.CloseInternalError, &transport.ClosedError{Code: transport.CloseInternalError})
}

// tellEnd writes the last answers and tells the receiver why the connection ended. Only the reader
// calls it, once.
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

// panicked counts and logs that the receiver panicked with v, or called runtime.Goexit if v is nil.
func (c *conn) panicked(v any) {
	if v == nil {
		v = "runtime.Goexit"
	}
	c.srv.book.Say(notice.WebSocketReceiver, c.about(slog.Any("panic", v), redact.StackAttr())...)
}
