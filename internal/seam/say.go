package seam

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/transport"
)

// About returns the attributes of a log line about a request: attrs, the mount, the transport and
// the address.
func (h *Host) About(r *http.Request, attrs ...slog.Attr) []slog.Attr {
	list := make([]slog.Attr, 0, len(attrs)+3)
	list = append(list, attrs...)
	if h.Path != "" {
		list = append(list, slog.String("mount", h.Path))
	} else {
		list = append(list, notice.Foreign("path", r.URL.Path))
	}
	return append(list, slog.String("transport", h.Name), notice.Foreign("address", notice.Address(r)))
}

// Where returns the attributes of a log line that is not about a client's request: attrs, the
// mount, the transport.
func (h *Host) Where(attrs ...slog.Attr) []slog.Attr {
	if h.Path != "" {
		attrs = append(attrs, slog.String("mount", h.Path))
	}
	return append(attrs, slog.String("transport", h.Name))
}

// sayRefused counts and logs why the checks refused a request. Parameters and tokens do not get
// into the log.
func (h *Host) sayRefused(r *http.Request, err error) {
	why := slog.String("error", err.Error())
	if status, ok := errors.AsType[*transport.StatusError](err); ok {
		why = slog.String("error", status.Err.Error())
	}
	switch {
	case errors.Is(err, transport.ErrOrigin):
		h.Book.Say(notice.Origin, h.About(r, append(origin(r), notice.Foreign("host", r.Host))...)...)
	case errors.Is(err, refused.ErrURLTooLong):
		h.Book.Say(notice.URL, h.About(r)...)
	case errors.Is(err, refused.ErrHeaderTooLarge):
		h.Book.Say(notice.Header, h.About(r)...)
	case errors.Is(err, transport.ErrAuthToken):
		h.Book.Say(notice.TokenEncoding, h.About(r, why)...)
	case errors.Is(err, refused.ErrSubprotocol):
		// Not the offers: some clients send a token as subprotocol.
		h.Book.Say(notice.Subprotocol, h.About(r, notice.Foreign("known", strings.Join(h.Checks.Subprotocols, ", ")))...)
	default:
		h.Book.Say(notice.Params, h.About(r, why)...)
	}
}

// origin returns the log attributes by which a request says which page it comes from.
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
	if len(list) == 0 { // only the host of the page: its address may hold secrets
		if page, err := url.Parse(r.Header.Get("Referer")); err == nil {
			list = append(list, notice.Foreign("referer_host", page.Host))
		}
	}
	return list
}

// saySession logs that Connect does not see a page's web session, although the request has a
// cookie.
func (h *Host) saySession(r *http.Request, info *transport.ConnectInfo) {
	if h.Checks.Session == nil || info.Session != nil || len(r.Header["Cookie"]) == 0 {
		return
	}
	_, sent := info.Params.String("_csrf_token")
	h.Book.Say(notice.NoSession, h.About(r, slog.Bool("sends_param", sent))...)
}
