package link

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// session implements transport.Session.
type session struct {
	mount       *mount
	receiver    seam.Receiver
	subprotocol string
	served      atomic.Bool
}

// Subprotocol implements transport.Session.
func (s *session) Subprotocol() string { return s.subprotocol }

// Serve implements transport.Session.
func (s *session) Serve(l transport.Link, o *transport.LinkOptions) error {
	m := s.mount
	switch {
	case nils.Is(l):
		return m.misused("Session.Serve is called without a Link")
	case s.served.Swap(true):
		return m.misused("Session.Serve is called twice; a client that comes back must be accepted anew")
	}
	lim, err := resolve(o, &m.host.Traits.Bounds)
	if err != nil {
		m.host.Book.Say(notice.LinkOptions, m.host.Where(slog.String("error", err.Error()))...)
		m.group.stats.Refused.Add(1)
		m.close(l)
		return fmt.Errorf("bennu: %w", err)
	}
	m.served.Do(func() {
		m.host.Book.Log().Log(slog.LevelInfo, "limits of a link", m.host.Where(lim.attrs()...)...)
	})
	return m.group.serve(l, s.receiver, lim)
}

// close closes a link that is not served. A panic of the link, or runtime.Goexit, is logged.
func (m *mount) close(l transport.Link) {
	returned := false
	defer func() {
		if !returned {
			m.host.Book.Say(notice.LinkPanic, m.host.Where(slog.String("method", "Close(0)"), slog.Any("panic", broken(recover())), redact.StackAttr())...)
		}
	}()
	_ = l.Close(0)
	returned = true
}
