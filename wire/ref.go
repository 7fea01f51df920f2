package wire

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/internal/jsontext"
)

// A Ref is a ref or join_ref: the compact JSON text of any JSON value, so that a reply can repeat it
// with its type. The empty Ref is null. Refs are compared as strings: [V1] and [V2] write equal JSON
// values as the same text, and 1, 1.0 and "1" as different ones.
type Ref string

// StringRef returns the Ref of a string.
func StringRef(s string) Ref {
	var memory [64]byte // enough for most
	return Ref(jsontext.AppendString(memory[:0], s))
}

// ParseRef returns the Ref of one JSON value, as V1 and V2 do, for serializers whose messages have
// refs as JSON. Equal values give equal Refs: escapes in strings are resolved, floats get their
// shortest form (1e0 becomes 1.0), the members of objects are sorted by name, and of members with
// the same name the last one is kept. Integers keep all their digits.
//
// The error wraps [ErrMalformed]: data is not one JSON value, or is longer than [MaxRef].
func ParseRef(data []byte) (Ref, error) {
	if err := jsontext.Check(data); err != nil {
		return "", err
	}
	text, ok := refText(bytes.Trim(data, " \t\r\n"))
	if !ok {
		return "", malformed(0, errRefTooLong)
	}
	return Ref(text), nil
}

// IsNull reports whether r is JSON null.
func (r Ref) IsNull() bool { return r == "" }

// Append appends the JSON text of r to dst.
func (r Ref) Append(dst []byte) []byte {
	if r == "" {
		return append(dst, "null"...)
	}
	return append(dst, r...)
}

// Text returns r for a form without types, such as a binary frame: a string without its
// quotes and escapes, "" for null, and the JSON text of other values.
func (r Ref) Text() string {
	if len(r) < 2 || r[0] != '"' {
		return string(r)
	}
	in := string(r[1 : len(r)-1])
	if strings.IndexByte(in, '\\') < 0 {
		return in
	}
	return string(jsontext.AppendUnquoted(nil, []byte(in)))
}

// refText returns the text of a Ref for one valid JSON value, or false if it is too long. The result
// may alias raw.
func refText(raw []byte) (text []byte, ok bool) {
	// JSON has at most six bytes for each byte of a string. A longer value that is not a string
	// could only fit without its white space, and is refused.
	if len(raw) > 6*MaxRef+2 {
		return nil, false
	}
	text = raw
	switch c := raw[0]; {
	case c == 'n':
		return nil, true
	case c == 't', c == 'f':
	case c == '"' && bytes.IndexByte(raw, '\\') < 0:
	case c != '"' && c != '[' && c != '{' && isPlainInteger(raw):
	default:
		w := refWriter{src: raw}
		text = w.value(nil)
	}
	size := len(text)
	if text[0] == '"' {
		size -= 2
	}
	return text, size <= MaxRef
}

// isPlainInteger reports whether a valid number is an integer other than -0.
func isPlainInteger(number []byte) bool {
	return !bytes.ContainsAny(number, ".eE") && string(number) != "-0"
}

// refWriter rewrites valid JSON text so that equal values become equal text. It is recursive, since the
// scanner has bounded the depth.
type refWriter struct {
	src []byte
	i   int
}

func (w *refWriter) value(dst []byte) []byte {
	w.space()
	switch w.src[w.i] {
	case '{':
		return w.object(dst)
	case '[':
		return w.array(dst)
	case '"':
		return jsontext.AppendString(dst, w.str())
	}
	from := w.i
	for w.i < len(w.src) && strings.IndexByte(" \t\r\n,]}", w.src[w.i]) < 0 {
		w.i++
	}
	return appendScalar(dst, w.src[from:w.i])
}

// appendScalar appends a literal or a number.
func appendScalar(dst, raw []byte) []byte {
	switch raw[0] {
	case 't', 'f', 'n':
		return append(dst, raw...)
	}
	if isPlainInteger(raw) {
		return append(dst, raw...)
	}
	if string(raw) == "-0" {
		return append(dst, '0')
	}
	f, _ := strconv.ParseFloat(string(raw), 64) // the scanner has excluded overflow
	return appendFloat(dst, f)
}

// appendFloat appends the shortest text that reads back as f, with a fraction or an exponent,
// so that it reads back as a float. Both zeros are 0.0.
func appendFloat(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, "0.0"...)
	}
	if abs := max(f, -f); abs < 1e-6 || abs >= 1e21 {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[from:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

func (w *refWriter) array(dst []byte) []byte {
	dst = append(dst, '[')
	w.i++
	for first := true; ; first = false {
		if w.space(); w.src[w.i] == ']' {
			w.i++
			return append(dst, ']')
		}
		if !first {
			dst = append(dst, ',')
			w.i++ // the comma
		}
		dst = w.value(dst)
	}
}

func (w *refWriter) object(dst []byte) []byte {
	type member struct {
		key   string
		value []byte
	}
	var members []member
	w.i++
	for {
		if w.space(); w.src[w.i] == ',' {
			w.i++
			w.space()
		}
		if w.src[w.i] == '}' {
			w.i++
			break
		}
		key := w.str()
		w.space()
		w.i++ // the colon
		members = append(members, member{key, w.value(nil)})
	}
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	dst = append(dst, '{')
	empty := len(dst)
	for i, m := range members {
		if i+1 < len(members) && members[i+1].key == m.key {
			continue // the last one counts
		}
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(jsontext.AppendString(dst, m.key), ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}')
}

// str reads a string.
func (w *refWriter) str() string {
	from := w.i + 1
	for w.i = from; w.src[w.i] != '"'; w.i++ {
		if w.src[w.i] == '\\' {
			w.i++
		}
	}
	w.i++
	return string(jsontext.AppendUnquoted(nil, w.src[from:w.i-1]))
}

func (w *refWriter) space() {
	for w.i < len(w.src) && w.src[w.i] <= ' ' {
		w.i++
	}
}
