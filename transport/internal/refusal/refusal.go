// Package refusal says for all transports why a request was refused.
package refusal

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// Mount is a mount as its lines in the log name it.
type Mount struct {
	Book      *notice.Book
	Transport string
	path      string
}

// NewMount describes a mount of a transport. An acceptor that has a method MountPath says
// where that is.
func NewMount(b *notice.Book, name string, a seam.Acceptor) Mount {
	m := Mount{Book: b, Transport: name}
	if at, ok := a.(interface{ MountPath() string }); ok {
		m.path = at.MountPath()
	}
	return m
}

// About makes the attributes of a line about a request: attrs, the mount, the transport and
// the address.
func (m *Mount) About(r *http.Request, attrs ...slog.Attr) []slog.Attr {
	list := make([]slog.Attr, 0, len(attrs)+3)
	list = append(list, attrs...)
	if m.path != "" {
		list = append(list, slog.String("mount", m.path))
	} else {
		list = append(list, notice.Foreign("path", r.URL.Path))
	}
	return append(list, slog.String("transport", m.Transport), notice.Foreign("address", notice.Address(r)))
}

// Where makes the attributes of a line that is about no request of a client: attrs, the
// mount, the transport.
func (m *Mount) Where(attrs ...slog.Attr) []slog.Attr {
	if m.path != "" {
		attrs = append(attrs, slog.String("mount", m.path))
	}
	return append(attrs, slog.String("transport", m.Transport))
}

// Checked says why transport.Checks, with the subprotocols it knows, refused a request. Neither
// parameters nor tokens get into the log.
func (m *Mount) Checked(r *http.Request, known []string, err error) {
	why := slog.String("error", err.Error())
	if status, ok := errors.AsType[*transport.StatusError](err); ok {
		why = slog.String("error", status.Err.Error())
	}
	switch {
	case errors.Is(err, transport.ErrOrigin):
		m.Book.Say(notice.Origin, m.About(r, append(origin(r), notice.Foreign("host", r.Host))...)...)
	case errors.Is(err, transport.ErrURLTooLong), errors.Is(err, transport.ErrQueryTooLong):
		m.Book.Say(notice.URL, m.About(r)...)
	case errors.Is(err, transport.ErrHeaderTooLarge):
		m.Book.Say(notice.Header, m.About(r)...)
	case errors.Is(err, transport.ErrAuthToken), errors.Is(err, transport.ErrAuthTokenParam), errors.Is(err, transport.ErrAuthTokenTwice):
		m.Book.Say(notice.TokenEncoding, m.About(r, why)...)
	case errors.Is(err, transport.ErrSubprotocol):
		// Some clients put a token where the names of subprotocols belong.
		m.Book.Say(notice.Subprotocol, m.About(r, notice.Foreign("known", strings.Join(known, ", ")))...)
	default:
		m.Book.Say(notice.Params, m.About(r, why)...)
	}
}

// origin is where a request says that it comes from.
func origin(r *http.Request) []slog.Attr {
	if lines := r.Header["Origin"]; len(lines) > 0 {
		return []slog.Attr{notice.Foreign("origin", lines[0])}
	}
	var list []slog.Attr
	for _, of := range []struct{ key, header string }{
		{"fetch_site", "Sec-Fetch-Site"}, {"fetch_mode", "Sec-Fetch-Mode"}, {"fetch_dest", "Sec-Fetch-Dest"},
	} {
		if text := r.Header.Get(of.header); text != "" {
			list = append(list, notice.Foreign(of.key, text))
		}
	}
	if len(list) == 0 { // of the page nothing but its host: addresses of pages may hold secrets
		if page, err := url.Parse(r.Header.Get("Referer")); err == nil {
			list = append(list, notice.Foreign("referer_host", page.Host))
		}
	}
	return list
}

// Session says that a page's web session is not shown, though its request has a cookie.
func (m *Mount) Session(r *http.Request, checks *transport.Checks, info *transport.ConnectInfo) {
	if checks.Session == nil || info.Session != nil || len(r.Header["Cookie"]) == 0 {
		return
	}
	_, sent := info.Params.String(transport.CSRFParam)
	m.Book.Say(notice.NoSession, m.About(r, slog.Bool("sends_param", sent))...)
}
