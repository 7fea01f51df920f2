package client

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/bennu-go/bennu/internal/weborigin"
)

// Headers that carry secrets. net/http removes only those that it knows from a request that a redirect
// sends to another host.
const (
	headerAuthToken = "X-Phoenix-AuthToken"
	headerSession   = "X-Phoenix-Longpoll-Token"
	headerProtocol  = "Sec-WebSocket-Protocol"
)

// discreet returns a copy of c that follows redirects as c does. To another server it sends no tokens,
// and to no server a Referer, which would have the URL with the parameters.
func discreet(c *http.Client) *http.Client {
	d := *c
	// net/http copies the headers of the first request before it calls CheckRedirect.
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

// sameServer reports whether a secret for one URL may be sent to another: the host and port are the
// same, and the scheme is the same or more secure.
func sameServer(from, to *url.URL) bool {
	scheme := weborigin.Scheme(to.Scheme)
	return serverOf(from) == serverOf(to) && (weborigin.Scheme(from.Scheme) == scheme || scheme == "https")
}

// serverOf returns the host of a URL, and its port if that is not the default of the scheme.
func serverOf(u *url.URL) string {
	return weborigin.Join(weborigin.Host(u.Hostname()), u.Port(), weborigin.Scheme(u.Scheme))
}
