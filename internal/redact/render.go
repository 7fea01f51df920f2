package redact

import (
	"unicode/utf8"
)

// render writes s with its spans masked and its control characters escaped, in at
// most limit bytes, and returns how much of s that covers.
func render(s string, spans []span, limit int) (out []byte, used int) {
	out = make([]byte, 0, min(limit, len(s)+len(Mask)*len(spans)+16))
	for _, sp := range spans {
		if out, used = escape(out, s, used, sp.start, limit); used < sp.start || len(out)+len(Mask) > limit {
			return out, used
		}
		out, used = append(out, Mask...), sp.end
	}
	return escape(out, s, used, len(s), limit)
}

// escape appends s[from:to], as far as out stays within limit, and returns where it
// stopped.
func escape(out []byte, s string, from, to, limit int) ([]byte, int) {
	for from < to {
		if b := s[from]; b >= ' ' && b < 0x7f {
			if len(out) == limit {
				break
			}
			out = append(out, b)
			from++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[from:to])
		length := len(out)
		if shown(r, n) {
			out = append(out, s[from:from+n]...)
		} else {
			out = appendEscaped(out, r, s[from], n)
		}
		if len(out) > limit {
			return out[:length], from
		}
		from += n
	}
	return out, from
}

// appendEscaped writes a rune as Go would; b is its first byte and n its length.
func appendEscaped(out []byte, r rune, b byte, n int) []byte {
	const digits = "0123456789abcdef"
	switch {
	case r == '\n':
		return append(out, `\n`...)
	case r == '\r':
		return append(out, `\r`...)
	case r == '\t':
		return append(out, `\t`...)
	case n == 1:
		return append(out, '\\', 'x', digits[b>>4], digits[b&15])
	case r > 0xffff:
		out = append(out, `\U`...)
		for shift := 28; shift >= 16; shift -= 4 {
			out = append(out, digits[r>>shift&15])
		}
	default:
		out = append(out, `\u`...)
	}
	return append(out, digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
