package transport

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/refused"
)

// Bounds of the query of a request that is not accepted yet. Mount.Accept documents them.
const (
	// maxURL bounds the bytes of a request target, and of a raw query alone.
	maxURL = 8 << 10
	// maxParams bounds the pairs of key and value in a query, except empty ones, as in "a=1&&b=2".
	maxParams = 64
	// maxParamDepth bounds the pairs of brackets in a key: a[b][c] has two.
	maxParamDepth = 32
)

// Errors of parseQuery. None of them quotes the query, which may hold secrets.
var (
	errQueryTooLong  = fmt.Errorf("%w: the query alone is", refused.ErrURLTooLong)
	errTooManyParams = errors.New("transport: query with more than 64 parameters")
	errParamsTooDeep = errors.New("transport: query parameter nested more than 32 deep")
	errQueryNotUTF8  = errors.New("transport: query is not UTF-8")
)

// Params are the parameters of a connection: those of the query, overlaid by the variables of the
// mount's path. A value is a string, a Params or a []any of such values. All keys and strings are
// valid UTF-8.
type Params map[string]any

// String returns the value of key if it is a string. It reports false if the key is missing, and
// also for a list or a map, since the client chooses which of these it sends.
func (p Params) String(key string) (string, bool) {
	s, ok := p[key].(string)
	return s, ok
}

// parseQuery decodes the part of a URL after the question mark. It differs from net/url where
// clients depend on it. Keys nest: a[b]=1 is a map, c[]=1&c[]=2 a list, d[0]=1 a map with the key
// "0". A key without "=" has the value "". An escape without two hexadecimal digits stands for
// itself. A later value replaces an earlier one, whatever the kind of either. Each [] adds one
// element to its list. A key whose brackets do not pair up, or with nothing before the first
// bracket, is taken as it is.
//
// The result belongs to the caller and is not nil unless there is an error: errQueryTooLong,
// errTooManyParams, errParamsTooDeep or errQueryNotUTF8.
func parseQuery(raw string) (Params, error) {
	if len(raw) > maxURL {
		return nil, errQueryTooLong
	}
	params := Params{}
	count := 0
	long := len(raw) > longText
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if count++; count > maxParams {
			return nil, errTooManyParams
		}
		key, value, _ := strings.Cut(pair, "=")
		key, value = unescape(key), unescape(value)
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, errQueryNotUTF8
		}
		// Clients escape brackets, too, so a key is split after it was decoded.
		name, path, err := splitKey(key)
		if err != nil {
			return nil, err
		}
		if long {
			value = strings.Clone(value)
		}
		params[name] = put(params[name], path, value)
	}
	return params, nil
}

// longText is the length in bytes from which values are copied out of a query: an application that
// keeps a value for the life of a connection must not keep the whole query.
const longText = 512

// splitKey splits a[b][] into "a" and the path "b", "".
func splitKey(key string) (name string, path []string, err error) {
	first := strings.IndexAny(key, "[]")
	if first <= 0 {
		return key, nil, nil
	}
	for rest := key[first:]; rest != ""; {
		end := strings.IndexAny(rest[1:], "[]") + 1
		if rest[0] != '[' || end == 0 || rest[end] != ']' {
			return key, nil, nil
		}
		if len(path) == maxParamDepth {
			return "", nil, errParamsTooDeep
		}
		path = append(path, rest[1:end])
		rest = rest[end+1:]
	}
	return key[:first], path, nil
}

// put returns old with value added at path. It reuses old if it is of the kind that the path needs
// and drops it otherwise. It recurses at most maxParamDepth deep.
func put(old any, path []string, value string) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == "" {
		list, _ := old.([]any)
		return append(list, put(nil, path[1:], value))
	}
	m, ok := old.(Params)
	if !ok {
		m = Params{}
	}
	m[path[0]] = put(m[path[0]], path[1:], value)
	return m
}

// unescape decodes "+" and %XX. Unlike url.QueryUnescape it leaves anything else as it is.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
