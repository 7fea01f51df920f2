package client

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/bennu-go/bennu/internal/weborigin"
)

// Headers with secrets that net/http does not know.
const (
	headerAuthToken = "X-Phoenix-AuthToken"
	headerSession   = "X-Phoenix-Longpoll-Token"
	headerProtocol  = "Sec-WebSocket-Protocol"
)

// discreet returns a copy of c that follows redirects as c does, and sends another server neither
// tokens nor, as referer, the URL with the parameters. net/http itself keeps back only the
// headers that it knows.
func discreet(c *http.Client) *http.Client {
	d := *c
	// net/http copies the headers of the first request to each that follows, before it asks.
	d.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		req.Header.Del("Referer")
		if !sameServer(via[0].URL, req.URL) {
			for _, name := range []string{headerAuthToken, headerSession, headerProtocol} {
				req.Header.Del(name)
			}
		}
		switch {
		case c.CheckRedirect != nil:
			return c.CheckRedirect(req, via)
		case len(via) >= 10: // as in net/http
			return errors.New("client: stopped after 10 redirects")
		}
		return nil
	}
	return &d
}

// sameServer reports whether a secret for one URL may go to another.
func sameServer(from, to *url.URL) bool {
	scheme := weborigin.Scheme(to.Scheme)
	return serverOf(from) == serverOf(to) && (weborigin.Scheme(from.Scheme) == scheme || scheme == "https")
}

// serverOf returns the host of a URL, and its port if that is not the default of the scheme.
func serverOf(u *url.URL) string {
	return weborigin.Join(weborigin.Host(u.Hostname()), u.Port(), weborigin.Scheme(u.Scheme))
}
