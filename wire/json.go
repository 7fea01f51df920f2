package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"sync"
	"unicode/utf8"
)

// AppendJSON appends v to dst as [encoding/json] would marshal it, but in the form
// that the protocol has for JSON text: compact, one line, and characters as
// themselves. Go escapes <, >, &, U+2028 and U+2029 for the sake of HTML, which
// some clients do not undo. On error dst is returned as it was.
//
// A [json.RawMessage] that is v itself goes through [Compact]. One within v is
// only checked as far as encoding/json does, and for its UTF-8, since invalid
// UTF-8 makes browsers close the connection. A []byte becomes base64, as always in
// JSON: for a binary payload set Payload.Binary instead.
func AppendJSON(dst []byte, v any) ([]byte, error) {
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
		return dst, &DecodeError{Err: errUTF8}
	}
	return out[:len(dst)+unescape(text)], nil
}

// marshaler keeps a json.Encoder, which holds the only switch for HTML escapes,
// together with the slice that it writes to.
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

// unescape rewrites, in place, the escapes that encoding/json writes and the
// protocol does not: \u2028, \u2029 and, for invalid UTF-8, \ufffd. It returns the
// new length. Both characters of any other escape are passed over, so that the
// second of two backslashes starts none.
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

// Compact validates JSON text of unknown origin, as strictly as [Check] but with
// any number of tokens, and returns it in the form that the protocol has for
// payloads: without whitespace between tokens, and with no escapes but those that
// [AppendString] writes. Numbers, the order of members, and members with one name
// stay as they are.
//
// Text that has this form already is returned itself, without a copy; other text
// is left alone, and the result is new.
func Compact(text []byte) ([]byte, error) {
	s := scanner{data: text, maxTokens: math.MaxInt}
	if err := s.whole(); err != nil {
		return nil, err
	}
	if !s.loose {
		return text, nil
	}
	return compactText(text), nil
}

// IsCompact reports whether [Compact] would return text as it is.
func IsCompact(text []byte) bool {
	s := scanner{data: text, maxTokens: math.MaxInt}
	return s.whole() == nil && !s.loose
}

// compactText is Compact for text that is known to be valid. It always copies.
func compactText(text []byte) []byte {
	dst := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			from := i + 1
			escaped := false
			for i = from; text[i] != '"'; i++ {
				if text[i] == '\\' {
					escaped = true
					i++
				}
			}
			if escaped {
				dst = AppendString(dst, string(appendUnquoted(nil, text[from:i])))
			} else {
				dst = append(dst, text[from-1:i+1]...)
			}
			i++
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}
