package jsontext

import (
	"bytes"
	"encoding/json"
	"sync"
	"unicode/utf8"
)

// Append appends v to dst as [encoding/json] would marshal it, but in the form that the
// protocol has for JSON text: compact, on one line, and without the escapes of <, >, &,
// U+2028 and U+2029 that Go writes for the sake of HTML and some clients do not undo. On
// error it returns dst as it was.
//
// A [json.RawMessage] that is v itself goes through [Compact]. One within v is checked as far
// as encoding/json does, and for its UTF-8, since invalid UTF-8 makes browsers close the
// connection. A []byte becomes base64.
func Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return AppendString(dst, v), nil
	case json.RawMessage:
		if v == nil {
			return append(dst, "null"...), nil
		}
		text, err := Compact(v)
		return append(dst, text...), err
	}
	m := marshalers.Get().(*marshaler)
	m.out = dst
	err := m.enc.Encode(v)
	out := m.out
	m.out = nil
	marshalers.Put(m)
	if err != nil {
		return dst, err
	}
	text := bytes.TrimSuffix(out[len(dst):], []byte{'\n'})
	if !utf8.Valid(text) {
		return dst, &Error{Err: ErrUTF8}
	}
	return out[:len(dst)+unescape(text)], nil
}

// marshaler keeps a json.Encoder, which alone can leave HTML as it is, together with the
// slice that it writes to.
type marshaler struct {
	enc *json.Encoder
	out []byte
}

var marshalers = sync.Pool{New: func() any {
	m := new(marshaler)
	m.enc = json.NewEncoder(m)
	m.enc.SetEscapeHTML(false)
	return m
}}

// Write implements io.Writer.
func (m *marshaler) Write(p []byte) (int, error) {
	m.out = append(m.out, p...)
	return len(p), nil
}

// unescape undoes, in place, the escapes that encoding/json writes without need: \u2028,
// \u2029 and, for invalid UTF-8, \ufffd. It returns the new length. It passes over both
// characters of any other escape, so that the second of two backslashes starts none.
func unescape(text []byte) int {
	i := bytes.IndexByte(text, '\\')
	if i < 0 {
		return len(text)
	}
	to := i
	for i < len(text) {
		if text[i] != '\\' {
			text[to] = text[i]
			i, to = i+1, to+1
			continue
		}
		if i+6 <= len(text) {
			r := rune(0)
			switch string(text[i+1 : i+6]) {
			case "u2028":
				r = '\u2028'
			case "u2029":
				r = '\u2029'
			case "ufffd":
				r = utf8.RuneError
			}
			if r != 0 {
				to += utf8.EncodeRune(text[to:], r) // three bytes for six
				i += 6
				continue
			}
		}
		to += copy(text[to:], text[i:min(i+2, len(text))])
		i += 2
	}
	return to
}
