package transport

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/bennu-go/bennu/internal/weborigin"
)

// OriginCheck decides by a request's Origin header whether the page that made it may connect. It
// keeps other websites from using a visitor's cookies and network. It does not stop programs, which
// can send any Origin or none.
//
// The checks made by this package allow a request without the header, about which Checks decides by
// other headers, and use only the first header if there are several. They compare origins in the
// form in which browsers send them, in whatever form they are written: scheme and host in lower
// case, "http" and "https" for "ws" and "wss", the shortest form of IPv6 addresses, and no default
// port. They refuse origins without a host, such as "null" and "file://", and those with a user
// name, which no browser sends.
//
// An OriginCheck is called concurrently.
type OriginCheck func(r *http.Request) bool

// SameOrigin allows an origin whose scheme, host and port are those of the request. The host is
// that of the Host header, so a proxy must pass that on.
//
// The scheme of a request is "https" if it came over TLS and "http" otherwise. Behind a proxy that
// ends TLS, pass a function that returns the scheme that the proxy reports. It must only read
// headers that the proxy sets itself: whoever can choose the scheme can make an http page an
// allowed one. A nil function is the plain rule.
//
// The function may return the value of a header as it is. Case is ignored, and "ws" and "wss" mean
// "http" and "https". If the value is a list, such as "https, http", the last element is used: the
// nearest proxy has added it, and the client may have sent those before it. A proxy behind another
// proxy must therefore pass on the value of the outer one, not add its own.
func SameOrigin(scheme func(*http.Request) string) OriginCheck {
	return func(r *http.Request) bool { return sameOrigin(r, scheme) }
}

// sameOrigin is the check of SameOrigin.
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

// requestScheme returns "http", "https", or another result of the configured function.
func requestScheme(r *http.Request, scheme func(*http.Request) string) string {
	switch {
	case scheme != nil:
		return weborigin.Scheme(scheme(r))
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

// Origins allows an origin that matches any entry of the list. An entry is written as a URL with a
// host:
//
//	//example.com             any scheme, any port
//	//example.com:8443        any scheme, that port
//	https://example.com       that scheme and its default port, 443
//	https://example.com:8443  that scheme and port
//	https://*.example.com     example.com and every host below it
//	app://example.com         a scheme without a default port: any port
//
// Blanks around an entry are ignored. A host with letters outside ASCII must be written in the xn--
// form that browsers send. The error says which entry is wrong and how to write it.
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

// OriginFunc returns a check that calls allow. The origin is parsed, in the form in which browsers
// send it, and belongs to allow. It is the empty URL if the header does not parse, has no host, or
// has a user name. A request without the header is allowed without a call of allow. allow must not
// keep r. OriginFunc panics if allow is nil.
func OriginFunc(allow func(origin *url.URL, r *http.Request) bool) OriginCheck {
	if allow == nil {
		panic("transport: OriginFunc needs a function")
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

// checkOrigin is the common part of all checks except OriginFunc.
func checkOrigin(r *http.Request, allow func(origin *url.URL) bool) bool {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return true
	}
	origin, ok := parseOrigin(values[0])
	return ok && allow(&url.URL{Scheme: origin.Scheme, Host: origin.Host})
}

// parseOrigin parses an Origin header into the form in which browsers send it.
func parseOrigin(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return nil, false
	}
	u.Scheme = weborigin.Scheme(u.Scheme)
	return u, normalize(u)
}

// normalize gives the host of u its normal form, and omits the port if it is the default of the
// scheme. It reports false for a port that is not valid.
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
