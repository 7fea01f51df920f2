package connect

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A typo is a mistake in a typed line, with its position.
type typo struct {
	line string
	at   int // byte of line
	what string
}

func (t *typo) Error() string { return t.what }

// show returns the line, or the part of it that fits into width columns, a caret under the mistake, and
// the message.
func (t *typo) show(p palette, width int) string {
	const indent, ellipsis = 2, "…"
	room := max(width-indent-2, 20)
	before, after := []rune(shownTyped(t.line[:t.at])), []rune(shownTyped(t.line[t.at:]))
	head, tail := "", ""
	column := 0
	for i := len(before) - 1; i >= 0; i-- {
		if column += columns(before[i]); column > room*2/3 {
			column += 1 - columns(before[i])
			before, head = before[i+1:], ellipsis
			break
		}
	}
	for i, used := 0, column; i < len(after); i++ {
		if used += columns(after[i]); used > room {
			after, tail = after[:i], ellipsis
		}
	}
	pad := strings.Repeat(" ", indent)
	return pad + head + string(before) + string(after) + tail + "\n" +
		pad + strings.Repeat(" ", column) + p.paint(red, "^ "+t.what) + "\n"
}

// shownTyped escapes typed text without changing its number of characters.
func shownTyped(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !visible(r, utf8.RuneLen(r)):
			return '\ufffd'
		}
		return r
	}, text)
}

// columns returns the number of columns that a character takes.
func columns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		r >= 0xff00 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
		return 2
	}
	return 1
}

// mistype makes a typo.
func mistype(line string, at int, format string, args ...any) error {
	return &typo{line, at, fmt.Sprintf(format, args...)}
}
