package transport

import (
	"fmt"
	"strings"

	"github.com/bennu-go/bennu/internal/refused"
)

// sessionParam is the parameter in which a client of long polling sends the token of its session,
// after its own parameters, if it sends no header for it.
const sessionParam = "token"

// checkTokenParam returns an error for a name that TokenParam cannot have.
func checkTokenParam(name string) error {
	switch {
	case name == "":
		return nil
	case name == "vsn", name == csrfParam:
		return fmt.Errorf("TokenParam is %q, which clients use for something else: name the parameter of the token, such as \"token\"", name)
	case strings.ContainsFunc(name, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.')
	}):
		return fmt.Errorf("TokenParam is %q: use letters, digits, _, - and . only, such as \"token\"", name)
	}
	return nil
}

// takeTokenParam takes the token out of the parameters of info.
//
// The session token of long polling may have the same name. If there are two, the last one is the
// session token, and stays in the parameters for the transport. A single one may be either, and is
// used as both.
func (c *Checks) takeTokenParam(info *ConnectInfo) error {
	var tokens []string
	for raw := range strings.SplitSeq(info.r.URL.RawQuery, "&") {
		key, value, _ := strings.Cut(raw, "=")
		name, path, err := splitKey(unescape(key))
		if err != nil || name != c.TokenParam {
			continue
		}
		if len(path) > 0 {
			return refused.ErrTokenParam
		}
		tokens = append(tokens, unescape(value))
	}
	if info.manner.SessionToken && c.TokenParam == sessionParam {
		if len(tokens) == 2 {
			tokens = tokens[:1]
		}
	} else {
		delete(info.Params, c.TokenParam)
	}
	switch {
	case len(tokens) > 1:
		return refused.ErrTokenTwice
	case len(tokens) == 0:
		return nil
	case info.tokenErr != nil, info.AuthToken != nil && *info.AuthToken != tokens[0]:
		return refused.ErrTokenTwice
	}
	info.AuthToken = &tokens[0]
	return nil
}

// withoutParam returns a query without the pairs of one parameter.
func withoutParam(query, name string) string {
	if name == "" || query == "" {
		return query
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if n, _, err := splitKey(unescape(key)); err == nil && n == name {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}
