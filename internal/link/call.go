package link

import (
	"log/slog"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
)

// call calls a method of the link. Its panic is said, cuts the connection and is returned as
// ErrPanic. After runtime.Goexit call does not return; all else is the same.
func (c *conn) call(method string, f func() error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			v = "runtime.Goexit"
		}
		c.group.book.Say(notice.LinkPanic, c.about(slog.String("method", method), slog.Any("panic", v), redact.StackAttr())...)
		err = transport.ErrPanic
		c.end(0, err)
	}()
	err = f()
	returned = true
	return err
}

// guard calls the receiver. Its panic, or runtime.Goexit, closes the connection.
func (c *conn) guard(f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			v = "runtime.Goexit"
		}
		c.group.book.Say(notice.LinkReceiver, c.about(slog.Any("panic", v), redact.StackAttr())...)
		c.end(transport.CloseInternalError, &transport.ClosedError{Code: transport.CloseInternalError})
	}()
	f()
	returned = true
}

// about adds the attributes by which the receiver knows the connection to those of a line.
func (c *conn) about(attrs ...slog.Attr) []slog.Attr {
	if r, ok := c.receiver.(ability.Describer); ok {
		return r.About(attrs...)
	}
	return attrs
}
