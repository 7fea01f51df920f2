package connect

import (
	"unicode/utf8"
)

// The sixteen colours that every terminal has, so that its own theme decides.
const (
	dim     = "2"
	bold    = "1"
	red     = "31"
	green   = "32"
	yellow  = "33"
	blue    = "34"
	magenta = "35"
	cyan    = "36"
)

// palette paints text, if colours are on.
type palette struct{ on bool }

func (p palette) paint(color, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// json paints JSON text token by token, and escapes it. It stops after limit characters, unless limit is
// 0, and returns the number of bytes that it has left out. Text that is not JSON is written without
// colours.
func (p palette) json(text string, limit int) (painted string, left int) {
	var out, token []byte
	shown := 0
	for i := 0; i < len(text); {
		end, color := next(text, i)
		token = token[:0]
		for i < end && (limit == 0 || shown < limit) {
			r, n := utf8.DecodeRuneInString(text[i:end])
			token = appendEscaped(token, r, n)
			i += n
			shown++
		}
		out = append(out, p.paint(color, string(token))...)
		if i < end {
			return string(out), len(text) - i
		}
	}
	return string(out), 0
}

// next returns the end of the token at i, and its colour. A token is a name, a string, a number, a
// literal, or the text between them.
func next(text string, i int) (end int, color string) {
	switch c := text[i]; {
	case c == '"':
		end = stringEnd(text, i)
		if end < len(text) && text[end] == ':' {
			return end, cyan
		}
		return end, green
	case isWord(c):
		for end = i; end < len(text) && isWord(text[end]); end++ {
		}
		if c == 't' || c == 'f' || c == 'n' {
			return end, yellow
		}
		return end, magenta
	default:
		for end = i; end < len(text) && text[end] != '"' && !isWord(text[end]); end++ {
		}
		return end, dim
	}
}

// stringEnd returns the index after the closing quote of the string that starts at i.
func stringEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// isWord reports whether c may be part of a number or a literal.
func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '+' || c == '.'
}
