package transport

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/bennu-go/bennu/internal/weborigin"
)

// OriginCheck decides from a request's Origin header whether the page that
// opened it may connect. It is what keeps a foreign website from using a
// visitor's cookies and network, and no protection against programs, which send
// any Origin they like or none.
//
// The checks made by this package allow a request without the header, about which
// Checks decides by other headers, and look only
// at the first header if there are several. They compare origins in the form in
// which browsers send them, however they are spelled: letters of the scheme and host
// in lower case, "http" and "https" for "ws" and "wss", IPv6 addresses at their
// shortest, and a default port like none. They refuse origins without a host, such as
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
//
// What the function returns may be a header as it stands. It is read in any case, "ws"
// and "wss" are "http" and "https", and of a list, such as "https, http", the
// last element counts: it is what the nearest proxy has added, and those before it came
// with the request. A proxy behind another must therefore pass on the outer one's
// value, not add its own.
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
		return normalize(&own) && *origin == own
	})
}

// requestScheme is "http", "https", or what a configured function says when it is
// neither.
func requestScheme(r *http.Request, scheme func(*http.Request) string) string {
	switch {
	case scheme != nil:
		return weborigin.Scheme(scheme(r))
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

// OriginHost allows an origin of the given host, with any scheme and port. The
// empty host allows no origin. A host that is none, or in a form that no browser sends,
// is a mistake of the program: OriginHost panics with a sentence that says what to
// write. EndpointOptions.Host has the same rules.
func OriginHost(host string) OriginCheck {
	if host == "" {
		return func(r *http.Request) bool { return len(r.Header["Origin"]) == 0 }
	}
	name, err := weborigin.ParseHost(host)
	if err != nil {
		panic("bennu: OriginHost: " + err.Error())
	}
	return func(r *http.Request) bool {
		return checkOrigin(r, func(origin *url.URL) bool { return origin.Hostname() == name })
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
// Blanks around an entry are ignored. A host with letters outside ASCII must be written in
// the xn-- form that browsers send. The error says which entry is wrong and how to write it.
func Origins(list ...string) (OriginCheck, error) {
	entries, err := parseEntries(list)
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) bool {
		return checkOrigin(r, func(origin *url.URL) bool {
			return slices.ContainsFunc(entries, func(e originEntry) bool { return e.matches(origin) })
		})
	}, nil
}

// OriginFunc leaves the decision to allow. The origin is parsed, has the form in which
// browsers send it, and belongs to allow; it is the empty URL when the
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
	return ok && allow(&url.URL{Scheme: origin.Scheme, Host: origin.Host})
}

// parseOrigin reads an Origin header, and gives its parts the form in which browsers
// send them.
func parseOrigin(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return nil, false
	}
	u.Scheme = weborigin.Scheme(u.Scheme)
	return u, normalize(u)
}

// normalize gives the host of u its normal form, and leaves the port away when
// it is that of the scheme. It reports false for a port that is none.
func normalize(u *url.URL) bool {
	host, port := weborigin.Host(u.Hostname()), u.Port()
	if port != "" {
		var ok bool
		if port, ok = weborigin.Port(port); !ok {
			return false
		}
	}
	u.Host = weborigin.Join(host, port, u.Scheme)
	return true
}
