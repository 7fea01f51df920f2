package transport

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
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

// Errors about the auth token of a request. None of them quotes it. ErrAuthToken and
// ErrAuthTokenParam refuse the request, and so does ErrAuthTokenTwice if one of the tokens is in a
// parameter. Otherwise ConnectInfo.AuthTokenErr returns the error, and the application decides.
var (
	ErrAuthToken          = errors.New("bennu: auth token is not base64")
	ErrAuthTokenParam     = errors.New("bennu: the parameter with the auth token is not a single text")
	ErrAuthTokenTwice     = errors.New("bennu: more than one auth token")
	ErrAuthTokenEmpty     = errors.New("bennu: the auth token is empty")
	ErrAuthTokenElsewhere = errors.New("bennu: no auth token where the mount looks for it, but the client has sent one elsewhere: see Checks.AuthToken and Checks.TokenParam")
	ErrNoAuthToken        = errors.New("bennu: no auth token")
	ErrAuthTokenOff       = errors.New("bennu: the mount takes no auth tokens, since Checks.AuthToken is off")
)

// takeToken finds the token among the offered subprotocols and returns the offers without it.
// Several equal ones count as one. If they differ, none is taken, because the right one is not
// known: the error is ErrAuthTokenTwice, and all offers are returned.
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
			return nil, offers, ErrAuthTokenTwice
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
		return "", ErrAuthToken
	}
	return string(b), nil
}

// takeHeaderToken takes the token of a request that has it in a header of its own. If there are
// several that differ, none is taken.
func (c *Checks) takeHeaderToken(info *ConnectInfo) {
	token, err := rawToken(info.r.Header)
	if err == nil && token != nil && info.AuthToken != nil && *token != *info.AuthToken {
		err = ErrAuthTokenTwice
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
		return nil, ErrAuthTokenTwice
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
	i.tokenErr = ErrAuthTokenElsewhere
	return true
}

// AuthTokenErr returns nil for an AuthToken that is not empty. Otherwise it says why there is none:
// ErrAuthTokenTwice, ErrAuthTokenEmpty, ErrAuthTokenElsewhere, ErrNoAuthToken or ErrAuthTokenOff.
func (i *ConnectInfo) AuthTokenErr() error {
	switch {
	case i.AuthToken != nil && *i.AuthToken == "":
		return ErrAuthTokenEmpty
	case i.AuthToken != nil:
		return nil
	case i.tokenErr != nil:
		return i.tokenErr
	case i.r == nil:
		return ErrNoAuthToken
	case !i.manner.HeaderToken && i.r.Header[tokenHeader] != nil,
		!i.manner.Offers && slices.ContainsFunc(i.protocol, func(line string) bool { return strings.Contains(line, tokenPrefix) }),
		i.r.Header["Authorization"] != nil:
		return ErrAuthTokenElsewhere
	}
	for _, name := range elsewhere {
		if _, ok := i.Params[name]; ok && (name != sessionParam || !i.manner.SessionToken) {
			return ErrAuthTokenElsewhere
		}
	}
	return ErrNoAuthToken
}
