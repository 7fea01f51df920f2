package connect

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// escape makes text from a server safe to print. Characters that are not visible become escapes of
// JSON: control characters, with which a server could control the user's terminal, and those that
// change the direction of text. White space becomes a blank. JSON text keeps its value, since it has
// such characters only in strings.
func escape(text string) string {
	if clean(text) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		out = appendEscaped(out, r, n)
		i += n
	}
	return string(out)
}

func clean(text string) bool {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !visible(r, n) {
			return false
		}
		i += n
	}
	return true
}

// visible reports whether a rune of n bytes may go to a terminal. Bytes that are
// not UTF-8 may not: some terminals take them for control characters.
func visible(r rune, n int) bool {
	if r >= ' ' && r < 0x7f {
		return true
	}
	return strconv.IsGraphic(r) && (r != utf8.RuneError || n > 1) && r != '\u2028' && r != '\u2029'
}

func appendEscaped(out []byte, r rune, n int) []byte {
	switch {
	case visible(r, n):
		return utf8.AppendRune(out, r)
	case r == '\n' || r == '\r' || r == '\t':
		return append(out, ' ')
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return appendUnit(appendUnit(out, high), low)
	default:
		return appendUnit(out, r) // r is U+FFFD for bytes that are not UTF-8
	}
}

func appendUnit(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
