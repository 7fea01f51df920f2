package connect

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/jsontext"
)

// parseJSON parses the JSON text of a typed line from byte at on, and returns it in compact form. The
// error is a *typo.
func parseJSON(line string, at int) ([]byte, error) {
	compact, err := jsontext.Compact([]byte(line[at:]))
	if bad, ok := errors.AsType[*jsontext.Error](err); ok {
		place, what := explain(line[at:], bad)
		return nil, &typo{line, at + place, what}
	}
	return compact, err
}

// explain says where JSON text is wrong, and why. The decoder finds the first wrong byte; the text before
// it shows what is expected there.
func explain(text string, bad *jsontext.Error) (at int, what string) {
	at = bad.Offset
	b := readBefore(text[:at])
	rest := text[at:]
	switch {
	case errors.Is(bad, jsontext.ErrTooDeep), errors.Is(bad, jsontext.ErrTooManyTokens):
		return at, bad.Err.Error()
	case b.want == inString && rest == "":
		return b.string, "this string has no closing quote"
	case b.want == inString:
		return at, bad.Err.Error()
	case rest == "":
		return at, b.missing()
	}
	c, size := utf8.DecodeRuneInString(rest)
	switch {
	case c == '\'', c == '`':
		return at, `strings and names stand in double quotes: "…"`
	case strings.ContainsRune("“”„‟«»", c):
		return at, fmt.Sprintf(`%c is a typographic quote, and JSON wants "`, c)
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"):
		return at, "JSON has no comments"
	case b.want == nothing && (c == '}' || c == ']'):
		return at, fmt.Sprintf("one %c too many", c)
	case b.want == nothing:
		return at, "the payload has ended before this"
	case c == '}' || c == ']':
		return at, b.closedBy(byte(c))
	case b.want == wantColon && c == '=':
		return at, "a colon stands between a name and its value, no ="
	case b.want == wantColon:
		return at, "a colon is missing before this"
	case b.want == wantComma && c == ':':
		return at, "a colon may follow only a name, and this is a value"
	case b.want == wantComma && c == ';':
		return at, "commas stand between values, no ;"
	case b.want == wantComma:
		return at, "a comma is missing before this"
	case c == ',':
		return at, "something is missing before this comma"
	case b.want == wantName:
		return at, fmt.Sprintf(`a name stands in double quotes: "%s"`, word(rest))
	case unicode.IsDigit(c), strings.ContainsRune("+-.", c):
		return at, number(rest, bad)
	case unicode.IsLetter(c), c == '_', c == '$':
		return at, bareword(word(rest))
	}
	return at, fmt.Sprintf("no value begins with %s", shownTyped(rest[:size]))
}

// The tokens that may come next in JSON text.
const (
	wantValue = iota
	wantName  // or the end of an empty object
	wantColon
	wantComma // or the end of the array or object
	inString
	nothing
)

// before is the state of JSON text at its end.
type before struct {
	want   int
	open   []byte // brackets that wait to be closed
	string int    // where the string that is not closed begins
	comma  bool   // a comma was the last
}

// readBefore reads the valid beginning of a JSON text.
func readBefore(text string) (b before) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			continue
		}
		b.comma = false
		switch {
		case c == '{' || c == '[':
			b.open = append(b.open, c)
			b.want = wantValue
			if c == '{' {
				b.want = wantName
			}
		case c == '}' || c == ']':
			b.open = b.open[:max(0, len(b.open)-1)]
			b.ended()
		case c == ':':
			b.want = wantValue
		case c == ',':
			b.comma, b.want = true, wantValue
			if b.in() == '{' {
				b.want = wantName
			}
		case c == '"':
			end := stringEnd(text, i)
			if end == len(text) && (end == i+1 || text[end-1] != '"' || oddSlashes(text[i+1:end-1])) {
				b.want, b.string = inString, i
				return b
			}
			i = end - 1
			if b.want == wantName {
				b.want = wantColon
			} else {
				b.ended()
			}
		default: // a number or a literal
			for i+1 < len(text) && isWord(text[i+1]) {
				i++
			}
			b.ended()
		}
	}
	return b
}

// oddSlashes reports whether text ends in a backslash that is not itself escaped.
func oddSlashes(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// ended sets the state after a value.
func (b *before) ended() {
	b.want = wantComma
	if len(b.open) == 0 {
		b.want = nothing
	}
}

// in returns the innermost open bracket, or 0.
func (b *before) in() byte {
	if len(b.open) == 0 {
		return 0
	}
	return b.open[len(b.open)-1]
}

// missing says what a text that ends too early lacks.
func (b *before) missing() string {
	var close strings.Builder
	for i := len(b.open) - 1; i >= 0; i-- {
		close.WriteByte(b.open[i] + 2) // ASCII: '[' + 2 is ']', '{' + 2 is '}'
	}
	switch {
	case b.comma || len(b.open) == 0:
		return "something is missing here"
	case b.want == wantColon:
		return "a colon and a value are missing here"
	case b.want == wantValue && b.in() == '{':
		return "a value is missing here"
	}
	return close.String() + " is missing here"
}

// closedBy says why a closing bracket is wrong.
func (b *before) closedBy(c byte) string {
	switch open := b.in(); {
	case b.comma:
		return "there must be no comma after the last element"
	case open != 0 && c != open+2:
		return fmt.Sprintf("%c closes no %c", c, open)
	case b.want == wantColon:
		return "a colon and a value are missing before this"
	}
	return "a value is missing before this"
}

// word returns the word at the beginning of text, shortened.
func word(text string) string {
	n := 0
	for i, r := range text {
		if n++; n > 20 || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-$.", r) {
			return text[:i]
		}
	}
	return text
}

func bareword(w string) string {
	switch strings.ToLower(w) {
	case "true", "false", "null":
		if w != strings.ToLower(w) {
			return strings.ToLower(w) + " is written in small letters"
		}
	case "nil", "none", "undefined":
		return "JSON writes null for this"
	case "nan", "infinity", "inf":
		return "JSON has no such number"
	}
	return fmt.Sprintf(`text stands in double quotes: "%s"`, w)
}

func number(text string, bad *jsontext.Error) string {
	digits := strings.TrimLeft(text, "-+")
	switch {
	case text[0] == '+':
		return "a number has no + in front"
	case text[0] == '.':
		return "a number has a digit before its point: 0."
	case len(digits) > 1 && digits[0] == '0' && '0' <= digits[1] && digits[1] <= '9':
		return "a number has no 0 in front"
	}
	return bad.Err.Error()
}
