package transport

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

const (
	// protocolHeader is spelled as net/http spells it in a Header.
	protocolHeader = "Sec-Websocket-Protocol"
	// tokenHeader carries the token over long-poll, unencoded.
	tokenHeader = "X-Phoenix-Authtoken"
	// tokenPrefix marks the element of Sec-WebSocket-Protocol that is a token.
	// It says base64url, but phoenix.js sends the standard alphabet.
	tokenPrefix = "base64url.bearer.phx."
)

// ErrAuthToken means a token that does not decode. It never quotes the token.
var ErrAuthToken = errors.New("bennu: auth token is not base64")

// takeToken finds the token among the offered subprotocols and returns the
// offers without it. Without exactly one candidate there is no token and the
// offers stay as they are, because there is no telling which one was meant.
func takeToken(offers []string) (token *string, rest []string, err error) {
	found := -1
	for i, offer := range offers {
		if strings.HasPrefix(offer, tokenPrefix) {
			if found >= 0 {
				return nil, offers, nil
			}
			found = i
		}
	}
	if found < 0 {
		return nil, offers, nil
	}
	s, err := decodeToken(offers[found][len(tokenPrefix):])
	if err != nil {
		return nil, nil, err
	}
	rest = make([]string, 0, len(offers)-1)
	rest = append(append(rest, offers[:found]...), offers[found+1:]...)
	return &s, rest, nil
}

var bothAlphabets = strings.NewReplacer("-", "+", "_", "/")

// decodeToken accepts the standard and the URL alphabet, padded or not, since
// clients other than phoenix.js take the prefix at its word.
func decodeToken(s string) (string, error) {
	enc := base64.RawStdEncoding
	if strings.HasSuffix(s, "=") {
		enc = base64.StdEncoding
	}
	b, err := enc.DecodeString(bothAlphabets.Replace(s))
	// The decoder skips line breaks. No header has them, but then none is
	// valid.
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return "", ErrAuthToken
	}
	return string(b), nil
}

// rawToken is the token of a long-poll request.
func rawToken(h http.Header) *string {
	values := h[tokenHeader]
	if len(values) == 0 {
		return nil
	}
	token := values[0]
	return &token
}
