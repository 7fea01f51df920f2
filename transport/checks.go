package transport

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/internal/unexported"
)

// Bounds of the header of a request for a connection. The http.Server may allow more elsewhere.
const (
	maxHeaders     = 64       // lines
	maxHeaderBytes = 16 << 10 // names and values with their separators
)

// ErrOrigin is the reason of a StatusError for an origin that Checks.Origin does not allow.
var ErrOrigin = errors.New("transport: origin not allowed")

// A StatusError refuses a request before Connect is called.
type StatusError struct {
	// Status is the HTTP status to answer with: 414 for a URL that is too long, 431 for a header
	// that is too large, 400 for parameters that cannot be decoded, and 403 for an origin, an auth
	// token or subprotocols that the mount does not take.
	Status int
	// Err is the reason, for the server's log and never for the client. It quotes nothing of the
	// request. It may wrap ErrOrigin or ErrAuthToken.
	Err error
}

func (e *StatusError) Error() string { return fmt.Sprintf("%v (status %d)", e.Err, e.Status) }

// Unwrap returns Err.
func (e *StatusError) Unwrap() error { return e.Err }

// Checks are the rules of a mount for requests, the same for all transports. They must not be
// changed after Endpoint.Socket was called with them.
type Checks struct {
	// Origin is the origin policy; nil is SameOrigin(Scheme). It is also asked about requests
	// without an Origin header. Those are refused if the headers Sec-Fetch-Site, Sec-Fetch-Mode and
	// Sec-Fetch-Dest say that another site, an image, a frame or a link made them. Over plain HTTP
	// browsers send these headers only to localhost. If they are missing, the policy is asked about
	// the page in the Referer header, as if that were the Origin.
	Origin OriginCheck
	// InsecureSkipOriginCheck lets every website connect; Origin is not asked. It is a field and
	// not an OriginCheck, so that the server can log it when it starts.
	InsecureSkipOriginCheck bool
	// Scheme returns the scheme of a request, "http" or "https", behind a proxy that ends TLS.
	// SameOrigin says which headers it may trust and how its result is read. nil means the scheme
	// of the connection. ConnectInfo.URI uses it, too. It is called concurrently.
	Scheme func(*http.Request) string
	// AuthToken takes a token from where phoenix.js puts its authToken option: among the
	// subprotocols of a WebSocket, where the server then answers with "phoenix", and in the header
	// X-Phoenix-AuthToken of long polling. Other transports may pass it in either. A request without
	// a token passes, and so does one with several tokens that differ: none of them is taken.
	// ConnectInfo.AuthTokenErr tells these two cases apart. A request with a token that does not
	// decode is answered with 403.
	AuthToken bool
	// TokenParam is the name of a parameter of the URL that is taken as the token, for clients that
	// cannot send it in a header: phoenix.js before 1.8, and many clients for phones. The token is
	// then ConnectInfo.AuthToken, and not in Params and URI. Empty, the default, means none.
	// Proxies and browsers write URLs into logs and histories. So prefer AuthToken if clients have
	// a choice, and make tokens for this parameter valid for minutes only.
	//
	// If AuthToken is set, too, a client may use either way, or both with the same token. Two
	// tokens that differ, a repeated parameter, and a list or a map are answered with 403. The name
	// "token" also works with long polling, where old clients send their session token under that
	// name, after their own parameters.
	TokenParam string
	// Subprotocols are those that the server speaks, in order of preference, for WebSocket only. If
	// nil, the offers of clients are ignored. Otherwise a client that offers any must offer one of
	// these exactly.
	Subprotocols []string
	// Session shows the application the browser's web session. nil shows none.
	Session *SessionCheck
}

// run makes the checks that come before Connect; see seam.Check.
func (c *Checks) run(r *http.Request, vars map[string]string, m *unexported.Manner) (*ConnectInfo, error) {
	if err := checkSize(r); err != nil {
		return nil, err
	}
	params, err := mergeParams(r.URL.RawQuery, vars)
	if err != nil {
		return nil, &StatusError{http.StatusBadRequest, err}
	}
	if !c.originAllowed(r) {
		return nil, &StatusError{http.StatusForbidden, ErrOrigin}
	}
	info := newConnectInfo(r, m, params)
	info.scheme = c.Scheme
	info.Session = c.session(r, params)
	if !c.AuthToken && c.TokenParam == "" {
		info.tokenErr = refused.ErrTokenOff
	}
	if m.Offers {
		if err := c.subprotocol(info); err != nil {
			return nil, &StatusError{http.StatusForbidden, err}
		}
	}
	if c.AuthToken && m.HeaderToken {
		c.takeHeaderToken(info)
	}
	if c.TokenParam != "" {
		info.tokenParam = c.TokenParam
		if err := c.takeTokenParam(info); err != nil {
			return nil, &StatusError{http.StatusForbidden, err}
		}
	}
	return info, nil
}

// checkSize returns an error for a URL or a header beyond the bounds.
func checkSize(r *http.Request) error {
	target := len(r.RequestURI)
	if target == 0 { // a request that no server read
		target = len(r.URL.RequestURI())
	}
	if target > maxURL {
		return &StatusError{http.StatusRequestURITooLong, refused.ErrURLTooLong}
	}
	lines, size := 0, 0
	for name, values := range r.Header {
		lines += len(values)
		for _, v := range values {
			size += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	if lines > maxHeaders || size > maxHeaderBytes {
		return &StatusError{http.StatusRequestHeaderFieldsTooLarge, refused.ErrHeaderTooLarge}
	}
	return nil
}

// mergeParams returns the parameters of the query, overlaid by the variables of the path.
func mergeParams(query string, vars map[string]string) (Params, error) {
	params, err := parseQuery(query)
	if err != nil {
		return nil, err
	}
	for name, value := range vars {
		if !utf8.ValidString(value) {
			return nil, refused.ErrPathNotUTF8
		}
		params[name] = strings.Clone(value) // so that it does not keep the whole path in memory
	}
	return params, nil
}

// originAllowed reports whether the origin policy, and the checks for requests without Origin,
// allow a request.
func (c *Checks) originAllowed(r *http.Request) bool {
	if c.InsecureSkipOriginCheck {
		return true
	}
	return c.originPolicy(r) && (len(r.Header["Origin"]) > 0 || c.fetchAllowed(r))
}

// originPolicy asks the origin policy, or the default one.
func (c *Checks) originPolicy(r *http.Request) bool {
	if c.Origin != nil {
		return c.Origin(r)
	}
	return sameOrigin(r, c.Scheme)
}

// subprotocol sets the token and the subprotocol of info. Several lines of the header count as one
// list, as in every header with a list.
func (c *Checks) subprotocol(info *ConnectInfo) error {
	configured := c.Subprotocols
	if c.AuthToken {
		configured = append([]string{subprotocolPhoenix}, configured...)
	}
	if configured == nil || len(info.protocol) == 0 {
		return nil
	}
	offers := splitOffers(info.protocol)
	if c.AuthToken {
		token, rest, err := takeToken(offers)
		switch {
		case errors.Is(err, refused.ErrTokenTwice):
			info.tokenErr = err // the application refuses it, as in Phoenix
		case err != nil:
			return err
		case token != nil:
			info.AuthToken = token
			if len(rest) == 0 {
				info.protocol = nil
				return nil
			}
			info.protocol = []string{strings.Join(rest, ", ")}
			offers = rest
		}
	}
	var err error
	info.Subprotocol, err = chooseSubprotocol(configured, offers)
	return err
}
