package bench

import "strings"

// A template is a JSON payload with a place for the marker.
type template struct {
	before, after []byte
	marked        bool
}

// newTemplate cuts text at {text}.
func newTemplate(text string) template {
	before, after, marked := strings.Cut(text, "{text}")
	return template{[]byte(before), []byte(after), marked}
}

// append adds the payload of message n, filled up to size bytes if it has a place for
// that.
func (t template) append(dst []byte, m marker, k kind, n, size int) []byte {
	dst = append(dst, t.before...)
	if t.marked {
		dst = m.append(dst, k, n, size-len(t.before)-len(t.after))
	}
	return append(dst, t.after...)
}
