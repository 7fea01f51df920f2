package link

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
)

// blamed is the error of a Read that returned a *transport.ClosedError: the client is closed with
// code.
type blamed struct {
	code transport.CloseCode
	text string
}

func (b *blamed) Error() string { return b.text }

// understood returns an error of a method of the link as one without methods of the transport:
// io.EOF, a *blamed, os.ErrDeadlineExceeded for a timeout, or transport.ErrLost. It may panic, as
// those methods may.
func (c *conn) understood(method string, err error) error {
	if nils.Is(err) { // a nil pointer to an error type; its methods would panic, and its meaning is unknown
		c.misused(fmt.Sprintf("%s of a Link returned a nil %T as error; return nil", method, err))
		return transport.ErrLost
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if wrong, ok := errors.AsType[*transport.ClosedError](err); ok {
		return &blamed{blame(wrong.Code), err.Error()}
	}
	if isTimeout(err) {
		return os.ErrDeadlineExceeded
	}
	return transport.ErrLost
}

// isTimeout reports whether err is a timeout, as package net has it.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// blame returns the code to close with when Read returns one for what the client sent. Codes that
// do not blame the client become 1002.
func blame(code transport.CloseCode) transport.CloseCode {
	switch code {
	case transport.CloseInvalidData, transport.ClosePolicy, transport.CloseTooBig:
		return code
	}
	return transport.CloseProtocolError
}

// misused counts and logs that the link has broken a law of package transport.
func (c *conn) misused(mistake string) {
	c.group.book.Say(notice.TransportMisuse, c.about(slog.String("error", mistake))...)
}
