package transport

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/bennu-go/bennu/internal/refused"
)

const (
	// protocolHeader is in the canonical form of net/http.
	protocolHeader = "Sec-Websocket-Protocol"
	// tokenHeader has the token, unencoded, for transports without subprotocols.
	tokenHeader = "X-Phoenix-Authtoken"
	// tokenPrefix begins the element of Sec-WebSocket-Protocol that is a token. It says base64url,
	// but phoenix.js sends the standard alphabet.
	tokenPrefix = "base64url.bearer.phx."
)

// Errors of [ConnectInfo.AuthTokenErr]. None of them quotes the token.
var (
	// ErrNoAuthToken means that the client sent no token.
	ErrNoAuthToken = errors.New("transport: no auth token")
	// ErrAuthToken is wrapped by the errors for a token that cannot be taken. The text says
	// whether it is empty, sent twice with two values, or sent where the mount does not look, or
	// that the mount takes none. A *StatusError that wraps it refuses the request: the token is not
	// base64, or the parameter TokenParam is not one text.
	ErrAuthToken = refused.ErrAuthToken
)

// takeToken finds the token among the offered subprotocols and returns the offers without it.
// Several equal ones count as one. If they differ, none is taken, because the right one is not
// known: the error is refused.ErrTokenTwice, and all offers are returned.
func takeToken(offers []string) (token *string, rest []string, err error) {
	rest = make([]string, 0, len(offers))
	for _, offer := range offers {
		text, ok := strings.CutPrefix(offer, tokenPrefix)
		if !ok {
			rest = append(rest, offer)
			continue
		}
		s, bad := decodeToken(text)
		if token != nil && (s != *token || !errors.Is(bad, err)) {
			return nil, offers, refused.ErrTokenTwice
		}
		token, err = &s, bad
	}
	if err != nil {
		return nil, nil, err
	}
	return token, rest, nil
}

var bothAlphabets = strings.NewReplacer("-", "+", "_", "/")

// decodeToken accepts the standard and the URL alphabet, padded or not, since clients other than
// phoenix.js use the URL alphabet, as the prefix says.
func decodeToken(s string) (string, error) {
	enc := base64.RawStdEncoding
	if strings.HasSuffix(s, "=") {
		enc = base64.StdEncoding
	}
	b, err := enc.DecodeString(bothAlphabets.Replace(s))
	// The decoder would skip line breaks, which are not part of a token.
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return "", refused.ErrTokenForm
	}
	return string(b), nil
}

// takeHeaderToken takes the token of a request that has it in a header of its own. If there are
// several that differ, none is taken.
func (c *Checks) takeHeaderToken(info *ConnectInfo) {
	token, err := rawToken(info.r.Header)
	if err == nil && token != nil && info.AuthToken != nil && *token != *info.AuthToken {
		err = refused.ErrTokenTwice
	}
	switch {
	case err != nil || info.tokenErr != nil:
		info.AuthToken, info.tokenErr = nil, cmp.Or(info.tokenErr, err)
	case token != nil:
		info.AuthToken = token
	}
}

// rawToken returns the token in the header of a request. Several equal ones count as one.
func rawToken(h http.Header) (*string, error) {
	values := h[tokenHeader]
	if len(values) == 0 {
		return nil, nil
	}
	token := values[0]
	if slices.ContainsFunc(values, func(v string) bool { return v != token }) {
		return nil, refused.ErrTokenTwice
	}
	return &token, nil
}

// elsewhere are the names of parameters in which clients send tokens. If one is there, the mount
// probably lacks TokenParam. Over long polling "token" is the session's, unless package longpoll
// finds that it is not.
var elsewhere = []string{"authToken", "auth_token", "access_token", "userToken", "user_token", "jwt", "token"}

// tokenElsewhere is seam.TokenElsewhere.
func (i *ConnectInfo) tokenElsewhere() bool {
	if i.AuthToken != nil || i.tokenErr != nil {
		return false
	}
	i.tokenErr = refused.ErrTokenElsewhere
	return true
}

// AuthTokenErr returns nil for an AuthToken that is not empty. Otherwise it says why there is none:
// ErrNoAuthToken, or an error that wraps ErrAuthToken.
func (i *ConnectInfo) AuthTokenErr() error {
	switch {
	case i.AuthToken != nil && *i.AuthToken == "":
		return refused.ErrTokenEmpty
	case i.AuthToken != nil:
		return nil
	case i.tokenErr != nil:
		return i.tokenErr
	case i.r == nil:
		return ErrNoAuthToken
	case !i.manner.HeaderToken && i.r.Header[tokenHeader] != nil,
		!i.manner.Offers && slices.ContainsFunc(i.protocol, func(line string) bool { return strings.Contains(line, tokenPrefix) }),
		i.r.Header["Authorization"] != nil:
		return refused.ErrTokenElsewhere
	}
	for _, name := range elsewhere {
		if _, ok := i.Params[name]; ok && (name != sessionParam || !i.manner.SessionToken) {
			return refused.ErrTokenElsewhere
		}
	}
	return ErrNoAuthToken
}
