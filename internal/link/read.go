package link

import (
	"io"
	"log/slog"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// discardMost bounds the bytes that a connection reads and drops after its end, waiting for the
// client to close its side. Beyond it, the connection is cut.
const discardMost = 4 << 20

// discardEach is added for each message, so that a link that reads empty ones without end is cut.
const discardEach = 16

// serve is the reader. It returns when the connection is over.
func (c *conn) serve() {
	defer c.finish() // also when a method of the link or the receiver ends this goroutine
	c.guard(func() { c.receiver.Opened(c) })
	c.tellNow()
	for c.readOn() {
		op, data, err := c.read()
		if err != nil {
			c.readFailed(err)
			return
		}
		c.received(len(data))
		c.take(op, data)
		c.tellNow()
	}
}

// finish is called when the reader ends. It waits until the connection is over.
func (c *conn) finish() {
	defer func() { // also when the receiver ends this goroutine
		c.mu.Lock()
		c.cutIfDoneLocked()
		c.mu.Unlock()
		c.leave()
		<-c.over
	}()
	c.mu.Lock()
	// If the receiver ended the connection, Read was not called until the client closed.
	c.fullLinger = c.fullLinger || !c.readEnded
	c.away, c.readEnded = false, true
	c.mu.Unlock()
	c.tellNow()
}

// readOn reports whether to call Read. It sets away, so that another goroutine tells the receiver
// of an end meanwhile.
func (c *conn) readOn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = !c.cut && !c.readEnded
	return c.away
}

// read calls Link.Read.
func (c *conn) read() (op wire.Opcode, data []byte, err error) {
	err = c.call("Read", func() (err error) {
		op, data, err = c.link.Read()
		return err
	})
	return op, data, err
}

// received notes that Read has returned a message of n bytes: it counts the message, or drops it if
// the connection has ended.
func (c *conn) received(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = false
	c.heard, c.inGrace = c.group.now(), false
	if !c.ended {
		c.group.stats.In(1, n)
		return
	}
	if c.discarded += n + discardEach; c.discarded > discardMost {
		c.cutLocked()
	}
}

// readFailed ends the connection after an error of Read.
func (c *conn) readFailed(err error) {
	wrong, blames := err.(*blamed)
	if blames && !c.isEnded() {
		c.sayRefused(wrong.code, notice.Foreign("error", wrong.text))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away, c.readEnded = false, true
	switch {
	case err == io.EOF:
		// The client has closed its side, but may still read.
		c.endLocked(transport.CloseNormal, transport.ErrClientClosed)
		c.cutIfDoneLocked()
	case c.ended:
		c.cutLocked()
	case blames:
		c.fullLinger = true
		c.endLocked(wrong.code, &transport.ClosedError{Code: wrong.code})
	case c.writeBy != 0 && c.group.now() >= c.writeBy:
		// A Write that fails by its deadline may end Read first.
		c.endLocked(0, transport.ErrSlowConsumer)
	default:
		c.endLocked(0, transport.ErrLost)
	}
}

// take gives a message to the receiver, and waits as long as the receiver asks for.
func (c *conn) take(op wire.Opcode, data []byte) {
	if c.isEnded() || !c.valid(op, data) {
		return
	}
	var resume <-chan struct{}
	c.guard(func() { resume = c.receiver.Receive(op, data) })
	if resume != nil {
		c.hold(resume)
	}
}

// isEnded reports whether the connection takes no more frames.
func (c *conn) isEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// valid reports whether a message is one that a receiver may get, whatever the link has checked. If
// not, it closes the connection.
func (c *conn) valid(op wire.Opcode, data []byte) bool {
	switch {
	case op != wire.Text && op != wire.Binary:
		c.group.book.Say(notice.LinkOpcode, c.about(slog.Int("opcode", int(op)), slog.Int("code", int(transport.CloseInternalError)))...)
		c.end(transport.CloseInternalError, &transport.ClosedError{Code: transport.CloseInternalError})
	case len(data) > c.lim.maxMessage:
		c.refuse(transport.CloseTooBig)
	case op == wire.Text && !utf8.Valid(data):
		c.refuse(transport.CloseInvalidData)
	default:
		return true
	}
	return false
}

// refuse closes the connection with a code because of a message.
func (c *conn) refuse(code transport.CloseCode) {
	c.sayRefused(code)
	c.end(code, &transport.ClosedError{Code: code})
}

// sayRefused counts and logs that the connection is closed for what its client sent.
func (c *conn) sayRefused(code transport.CloseCode, attrs ...slog.Attr) {
	attrs = c.about(append(attrs, slog.Int("code", int(code)))...)
	if code == transport.CloseTooBig {
		c.group.book.Say(notice.TooBig, append(attrs, slog.Int("limit", c.lim.maxMessage),
			slog.String("fix", "send less at once, or raise MaxMessage in the options of the transport"))...)
		return
	}
	c.group.book.Say(notice.ClientFault, attrs...)
}

// hold waits until the receiver takes messages again, or until the connection ends. Read is not
// called meanwhile, and the time does not count as idle.
func (c *conn) hold(resume <-chan struct{}) {
	select {
	case <-resume:
		return
	default:
	}
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	wake := make(chan struct{})
	c.wake, c.away, c.held, c.heldSince = wake, true, true, c.group.now()
	c.armLocked()
	c.mu.Unlock()
	select {
	case <-resume:
	case <-wake:
	}
	c.mu.Lock()
	c.wake, c.away, c.held = nil, false, false
	c.heard, c.inGrace = c.group.now(), false // nothing was read, so the client was not idle
	c.armLocked()
	c.mu.Unlock()
}
