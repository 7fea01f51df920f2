package link

import (
	"log/slog"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
)

// call calls a method of the link. Its error is that of understood. A panic in the method, or in one
// of its error, is logged, cuts the connection, and is returned as ErrPanic. The same holds for
// runtime.Goexit, after which call does not return.
func (c *conn) call(method string, f func() error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		c.group.book.Say(notice.LinkPanic, c.about(slog.String("method", method), slog.Any("panic", broken(recover())), redact.StackAttr())...)
		err = transport.ErrPanic
		c.end(0, err)
	}()
	if err = f(); err != nil {
		err = c.understood(method, err)
	}
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
		c.group.book.Say(notice.LinkReceiver, c.about(slog.Any("panic", broken(recover())), redact.StackAttr())...)
		c.end(transport.CloseInternalError, &transport.ClosedError{Code: transport.CloseInternalError})
	}()
	f()
	returned = true
}

// broken returns the value of a panic for the log. There is none, nil, if a function has not
// returned because of runtime.Goexit.
func broken(v any) any {
	if v == nil {
		return "runtime.Goexit"
	}
	return v
}

// about returns attrs with the attributes by which the receiver describes the connection.
func (c *conn) about(attrs ...slog.Attr) []slog.Attr {
	if r, ok := c.receiver.(ability.Describer); ok {
		return r.About(attrs...)
	}
	return attrs
}
