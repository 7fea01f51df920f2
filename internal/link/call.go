package link

import (
	"log/slog"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
)

// call calls a method of the link. A panic in it is logged, cuts the connection, and is returned as
// ErrPanic. The same holds for runtime.Goexit, after which call does not return.
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

// guard calls a method of the receiver. A panic or runtime.Goexit in it is logged and closes the
// connection.
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

// about returns attrs with the attributes by which the receiver describes the connection.
func (c *conn) about(attrs ...slog.Attr) []slog.Attr {
	if r, ok := c.receiver.(ability.Describer); ok {
		return r.About(attrs...)
	}
	return attrs
}
