package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// OriginCheck decides from a request's Origin header whether the page that
// opened it may connect. It is what keeps a foreign website from using a
// visitor's cookies and network, and no protection against programs, which send
// any Origin they like or none.
//
// The checks made by this package allow a request without the header, look only
// at the first header if there are several, and compare hosts case-sensitively:
// browsers send them in lower case. They refuse origins without a host, such as
// "null" and "file://", and those with a user name, which no browser sends.
//
// An OriginCheck is called concurrently.
type OriginCheck func(r *http.Request) bool

// SameOrigin allows an origin whose scheme, host and port are those of the
// request. The host is that of the Host header, so a proxy must pass it on.
//
// The scheme of a request is "https" if it came over TLS and "http" otherwise.
// Behind a proxy that ends TLS, give a function that returns the scheme the
// proxy reports. It must only read headers that the proxy sets itself: whoever
// can choose the scheme turns an http page into an allowed one. A nil function
// is the plain rule.
func SameOrigin(scheme func(*http.Request) string) OriginCheck {
	return func(r *http.Request) bool { return sameOrigin(r, scheme) }
}

func sameOrigin(r *http.Request, scheme func(*http.Request) string) bool {
	return checkOrigin(r, func(origin *url.URL) bool {
		own := url.URL{Scheme: requestScheme(r, scheme), Host: r.Host}
		// A proxy that reports no scheme must not match an origin without one.
		if own.Scheme != "http" && own.Scheme != "https" {
			return false
		}
		return origin.Scheme == own.Scheme && origin.Hostname() == own.Hostname() && port(origin) == port(&own)
	})
}

// requestScheme is "http", "https", or whatever a configured function says, in
// lower case.
func requestScheme(r *http.Request, scheme func(*http.Request) string) string {
	switch {
	case scheme != nil:
		return strings.ToLower(scheme(r))
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

// OriginHost allows an origin of the given host, with any scheme and port. The
// empty host allows no origin.
func OriginHost(host string) OriginCheck {
	return func(r *http.Request) bool {
		return checkOrigin(r, func(origin *url.URL) bool { return origin.Hostname() == host })
	}
}

// Origins allows an origin that matches any entry of the list. An entry is
// written as a URL with a host:
//
//	//example.com             any scheme, any port
//	//example.com:8443        any scheme, that port
//	https://example.com       that scheme and its default port, 443
//	https://example.com:8443  that scheme and port
//	https://*.example.com     example.com and every host below it
//	app://example.com         a scheme without a default port: any port
//
// A host with letters outside ASCII must be written in the xn-- form that
// browsers send. The error says which entry is wrong and how to write it.
func Origins(list ...string) (OriginCheck, error) {
	if len(list) == 0 {
		return nil, errors.New("bennu: the list of origins is empty: name at least one, such as \"https://example.com\"")
	}
	entries := make([]originEntry, len(list))
	for i, s := range list {
		e, err := parseEntry(s)
		if err != nil {
			return nil, err
		}
		entries[i] = e
	}
	return func(r *http.Request) bool {
		return checkOrigin(r, func(origin *url.URL) bool {
			return slices.ContainsFunc(entries, func(e originEntry) bool { return e.matches(origin) })
		})
	}, nil
}

// OriginFunc leaves the decision to allow. The origin is parsed, with its
// scheme in lower case, and belongs to allow; it is the empty URL when the
// header does not parse, has no host, or has a user name. The function is not
// called for a request without the header, which is allowed. It must not be nil
// and must not keep r.
func OriginFunc(allow func(origin *url.URL, r *http.Request) bool) OriginCheck {
	if allow == nil {
		panic("bennu: OriginFunc needs a function")
	}
	return func(r *http.Request) bool {
		values := r.Header["Origin"]
		if len(values) == 0 {
			return true
		}
		origin, ok := parseOrigin(values[0])
		if !ok {
			origin = &url.URL{}
		}
		return allow(origin, r)
	}
}

// checkOrigin holds what all checks but OriginFunc have in common.
func checkOrigin(r *http.Request, allow func(origin *url.URL) bool) bool {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return true
	}
	origin, ok := parseOrigin(values[0])
	return ok && allow(origin)
}

func parseOrigin(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return nil, false
	}
	return u, true
}

// originEntry is one entry of a list. An empty scheme or port matches any.
type originEntry struct {
	scheme, host, port string
	below              bool // also every host that ends in "." + host
}

func parseEntry(s string) (originEntry, error) {
	fail := func(advice string) (originEntry, error) {
		return originEntry{}, fmt.Errorf("bennu: origin %q %s", s, advice)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fail("is not a URL: write it like \"https://example.com\" or \"//example.com:8443\"")
	case u.Hostname() == "":
		return fail("has no host: write it with two slashes, like \"//example.com\" or \"https://example.com\"")
	case u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return fail("must be a scheme, a host and a port only: remove the rest")
	}
	e := originEntry{scheme: u.Scheme, port: port(u)}
	e.host, e.below = strings.CutPrefix(u.Hostname(), "*.")
	if e.host == "" || strings.Contains(e.host, "*") {
		return fail("may use * only as its whole first label, like \"https://*.example.com\"")
	}
	return e, nil
}

func (e *originEntry) matches(origin *url.URL) bool {
	if e.scheme != "" && e.scheme != origin.Scheme || e.port != "" && e.port != port(origin) {
		return false
	}
	host := origin.Hostname()
	if host == e.host {
		return true
	}
	// The label before the dot must not be empty.
	label, ok := strings.CutSuffix(host, "."+e.host)
	return e.below && ok && label != ""
}

// port is the port of u, or the default of its scheme, or empty.
func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	switch u.Scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}
