package link

import (
	"errors"
	"io"
	"log/slog"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// discardMost is how much a closed connection reads and throws away at most.
const discardMost = 4 << 20

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
		c.returned(len(data))
		c.take(op, data)
		c.tellNow()
	}
}

// finish is the end of the reader.
func (c *conn) finish() {
	defer func() { // also when the receiver ends this goroutine
		c.mu.Lock()
		c.settleLocked()
		c.mu.Unlock()
		c.leave()
		<-c.over
	}()
	c.mu.Lock()
	// One that was ended in the receiver could not read to the end of its client.
	c.skipped = c.skipped || !c.deaf
	c.away, c.deaf = false, true
	c.mu.Unlock()
	c.tellNow()
}

// readOn reports whether to call Read, and lets others tell the receiver of an end meanwhile.
func (c *conn) readOn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = !c.cut && !c.deaf
	return c.away
}

func (c *conn) read() (op wire.Opcode, data []byte, err error) {
	err = c.call("Read", func() (err error) {
		op, data, err = c.link.Read()
		return err
	})
	return op, data, err
}

// returned takes note of a message of n bytes.
func (c *conn) returned(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = false
	c.heard, c.doubted = c.group.now(), false
	if !c.ended {
		c.group.stats.In(1, n)
		return
	}
	if c.discarded += n; c.discarded > discardMost {
		c.cutLocked()
	}
}

// readFailed ends the connection after an error of Read.
func (c *conn) readFailed(err error) {
	wrong, blames := errors.AsType[*transport.ClosedError](err)
	if blames && !c.isEnded() {
		c.sayRefused(blame(wrong.Code), notice.Foreign("error", err.Error()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away, c.deaf = false, true
	switch {
	case errors.Is(err, io.EOF):
		// A client that has closed its side may still read.
		c.endLocked(transport.CloseNormal, transport.ErrClientClosed)
		c.settleLocked()
	case c.ended:
		c.cutLocked()
	case blames:
		c.skipped = true
		c.endLocked(blame(wrong.Code), &transport.ClosedError{Code: blame(wrong.Code)})
	case c.writeBy != 0 && c.group.now() >= c.writeBy:
		// Where a Write that fails ends the reading too, Read may be the first to tell.
		c.endLocked(0, transport.ErrSlowConsumer)
	default:
		c.endLocked(0, transport.ErrLost)
	}
}

// blame returns the code to close with when a Link returns one as an error of its client. Other codes
// do not blame a client.
func blame(code transport.CloseCode) transport.CloseCode {
	switch code {
	case transport.CloseInvalidData, transport.ClosePolicy, transport.CloseTooBig:
		return code
	}
	return transport.CloseProtocolError
}

// take hands a message to the receiver, and holds as long as that asks for.
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

func (c *conn) isEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// valid closes the connection for a message that no receiver may get, whatever the link thinks
// of it.
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

// refuse closes the connection because of a message.
func (c *conn) refuse(code transport.CloseCode) {
	c.sayRefused(code)
	c.end(code, &transport.ClosedError{Code: code})
}

// sayRefused says why the connection is closed.
func (c *conn) sayRefused(code transport.CloseCode, attrs ...slog.Attr) {
	attrs = c.about(append(attrs, slog.Int("code", int(code)))...)
	if code == transport.CloseTooBig {
		c.group.book.Say(notice.TooBig, append(attrs, slog.Int("limit", c.lim.maxMessage),
			slog.String("fix", "send less at once, or raise MaxMessage in the options of the transport"))...)
		return
	}
	c.group.book.Say(notice.ClientFault, attrs...)
}

// hold waits until the receiver takes messages again, or for the end of the connection. Read is
// not called meanwhile.
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
	c.heard, c.doubted = c.group.now(), false // the client was not listened to
	c.armLocked()
	c.mu.Unlock()
}
