package transport

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/unexported"
)

// Bounds on the header of a request that asks to connect. An http.Server of
// one's own may allow more for the rest of its paths.
const (
	maxHeaders     = 64       // lines
	maxHeaderBytes = 16 << 10 // names and values with their separators
)

// Reasons of a StatusError, beside ErrAuthToken, ErrAuthTokenParam, ErrAuthTokenTwice and
// ErrSubprotocol. Parameters that cannot be read have errors without a name.
var (
	ErrOrigin         = errors.New("bennu: origin not allowed")
	ErrURLTooLong     = errors.New("bennu: URL longer than 8 KiB")
	ErrHeaderTooLarge = errors.New("bennu: more than 64 header lines or 16 KiB of header")
	ErrPathNotUTF8    = errors.New("bennu: path variable is not UTF-8")
)

// A StatusError refuses a request before the application has seen it.
type StatusError struct {
	// Status is the HTTP status to answer with: 400, 403, 414 or 431.
	Status int
	// Err says why, for the server's log and never for the client. It is one of
	// this package's errors and quotes nothing of the request.
	Err error
}

func (e *StatusError) Error() string { return fmt.Sprintf("%v (status %d)", e.Err, e.Status) }

// Unwrap returns Err.
func (e *StatusError) Unwrap() error { return e.Err }

// Checks are a mount's rules for requests, the same for all transports. They
// must not change once Endpoint.Socket has them.
type Checks struct {
	// Origin is the origin policy; nil is SameOrigin(Scheme). A request without an Origin
	// header must pass it too, and it is refused when a browser says in Sec-Fetch-Site,
	// Sec-Fetch-Mode and Sec-Fetch-Dest that it is made by another site, or by an image, a
	// frame or a link. Where a browser does not send those, over plain HTTP, the policy is
	// asked about the page in its Referer header, as if that were the Origin.
	Origin OriginCheck
	// InsecureSkipOriginCheck lets every website connect, and Origin is not
	// asked. It is a field and not an OriginCheck so that a server can log it
	// when it starts.
	InsecureSkipOriginCheck bool
	// Scheme returns the scheme of a request, "http" or "https", behind a proxy
	// that ends TLS; see SameOrigin for what it may trust, and how "wss" and lists are
	// read. Nil means from the connection. ConnectInfo.URI uses it too. It is called
	// concurrently.
	Scheme func(*http.Request) string
	// AuthToken takes a token from where phoenix.js puts its authToken option:
	// among the subprotocols of a WebSocket, where "phoenix" is then chosen in
	// answer, and in the header X-Phoenix-AuthToken of a long-poll. A request
	// without a token passes, and so does one with several that differ, of which none is
	// taken: ConnectInfo.AuthTokenErr tells the two apart. A token that does not decode answers
	// 403.
	AuthToken bool
	// TokenParam names a parameter of the URL that is taken as the token, for clients
	// that can send it nowhere else: phoenix.js before 1.8, and those of phones. It
	// is then ConnectInfo.AuthToken, and no longer in Params and URI. Empty, the default,
	// means none. Proxies and browsers write URLs into logs and histories, so prefer
	// AuthToken where clients have a choice, and let such tokens live for minutes only.
	//
	// With AuthToken too, a client may use either way, or both with the same token. Two
	// tokens that differ, a parameter that is repeated, and one that is a list or a map
	// answer 403. The name "token" works with long-poll, where old clients have
	// the token of their session under that name, behind their own parameters.
	TokenParam string
	// Subprotocols the server speaks, most wanted first, for WebSocket only.
	// When nil, what clients offer is ignored. Otherwise a client that offers
	// any must offer one of these; the match is exact.
	Subprotocols []string
	// Session shows the application the browser's web session. Nil shows none.
	Session *SessionCheck
}

// run makes the checks that come before the application's; see seam.Check.
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
		info.tokenErr = ErrAuthTokenOff
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

func checkSize(r *http.Request) error {
	target := len(r.RequestURI)
	if target == 0 { // a request that no server read
		target = len(r.URL.RequestURI())
	}
	if target > maxURL {
		return &StatusError{http.StatusRequestURITooLong, ErrURLTooLong}
	}
	lines, size := 0, 0
	for name, values := range r.Header {
		lines += len(values)
		for _, v := range values {
			size += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	if lines > maxHeaders || size > maxHeaderBytes {
		return &StatusError{http.StatusRequestHeaderFieldsTooLarge, ErrHeaderTooLarge}
	}
	return nil
}

func mergeParams(query string, vars map[string]string) (Params, error) {
	params, err := parseQuery(query)
	if err != nil {
		return nil, err
	}
	for name, value := range vars {
		if !utf8.ValidString(value) {
			return nil, ErrPathNotUTF8
		}
		params[name] = strings.Clone(value) // not a part of the path, which may be long
	}
	return params, nil
}

func (c *Checks) originAllowed(r *http.Request) bool {
	if c.InsecureSkipOriginCheck {
		return true
	}
	return c.originPolicy(r) && (len(r.Header["Origin"]) > 0 || c.fetchAllowed(r))
}

func (c *Checks) originPolicy(r *http.Request) bool {
	if c.Origin != nil {
		return c.Origin(r)
	}
	return sameOrigin(r, c.Scheme)
}

// subprotocol sets the token and the subprotocol of info. The lines of the header are
// one list, as in every header that has a list.
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
		case errors.Is(err, ErrAuthTokenTwice):
			info.tokenErr = err // it is for the application to refuse, as in Phoenix
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
