// Package weborigin writes the parts of a web origin, scheme, host and port, in the form
// in which browsers send them, so that two spellings of one origin compare as equal.
package weborigin

import "strings"

// Scheme is a scheme as a proxy or a client writes it, in its normal form: lower case,
// without blanks around it, and "http" and "https" for "ws" and "wss", which name the same
// ports. Of a list, such as "https, http", it is the last element, which the nearest proxy
// has added; those before it came with the request, and a client may have made them up.
func Scheme(text string) string {
	elements := strings.Split(text, ",")
	scheme := ""
	for i := len(elements) - 1; i >= 0 && scheme == ""; i-- { // empty elements do not count
		scheme = Lower(strings.TrimSpace(elements[i]))
	}
	switch scheme {
	case "ws":
		return "http"
	case "wss":
		return "https"
	}
	return scheme
}

// DefaultPort is the port that a browser leaves out, empty for schemes without one.
func DefaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// Lower makes ASCII letters small and leaves all other bytes alone: some letters outside
// ASCII have a small one within.
func Lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
