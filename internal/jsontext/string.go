package jsontext

import "unicode/utf8"

const lowerHex = "0123456789abcdef"

// shortEscape has the letter of each control character with an escape of two bytes.
var shortEscape = [' ']byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// AppendString appends s to dst as a JSON string. It escapes the quote, the backslash and
// characters below U+0020 alone; invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0 // of the part of s that stands as it is
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[from:i]...)
				dst = utf8.AppendRune(dst, utf8.RuneError)
				from = i + 1
			}
			i += n
			continue
		case c >= ' ' && c != '"' && c != '\\':
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		switch {
		case c >= ' ':
			dst = append(dst, '\\', c)
		case shortEscape[c] != 0:
			dst = append(dst, '\\', shortEscape[c])
		default:
			dst = append(dst, '\\', 'u', '0', '0', lowerHex[c>>4], lowerHex[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// AppendQuoted is [AppendString] for bytes that are UTF-8.
func AppendQuoted(dst, raw []byte) []byte {
	for _, c := range raw {
		if c < ' ' || c == '"' || c == '\\' {
			return AppendString(dst, string(raw))
		}
	}
	dst = append(dst, '"')
	dst = append(dst, raw...)
	return append(dst, '"')
}

// AppendUnquoted appends the text that the inside of a JSON string stands for, which is no
// longer. The inside must be valid; of other text it makes something, but it never panics.
func AppendUnquoted(dst []byte, in []byte) []byte {
	for i := 0; i < len(in); {
		c := in[i]
		if c != '\\' || i+1 >= len(in) {
			dst = append(dst, c)
			i++
			continue
		}
		c = in[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, ok := hex4(in, i)
			if !ok {
				r = utf8.RuneError
			} else if i += 4; r >= 0xD800 && r <= 0xDBFF {
				low, _ := hex4(in, i+2)
				r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
				i = min(i+6, len(in))
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// hex4 reads four hexadecimal digits at i.
func hex4(d []byte, i int) (r rune, ok bool) {
	if i+4 > len(d) {
		return 0, false
	}
	for _, c := range d[i : i+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
