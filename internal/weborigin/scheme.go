// Package weborigin converts the parts of a web origin, scheme, host and port, into the form in
// which browsers send them, so that two spellings of one origin compare as equal.
package weborigin

import "strings"

// Scheme returns a scheme, as a proxy or a client writes it, in normal form: in lower case, without
// blanks, and "http" and "https" for "ws" and "wss", which have the same ports. Of a list, such as
// "https, http", it returns the last element, which the nearest proxy has added; those before it
// came with the request, and a client may have made them up.
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

// DefaultPort returns the port that browsers omit for a scheme, or "" if there is none.
func DefaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// Lower converts ASCII letters to lower case and leaves all other bytes alone: some letters outside
// ASCII have an ASCII lower case.
func Lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
