// Package redact keeps secrets, control characters and endless texts out of the
// log.
//
// It works in two ways that complete each other. [Handler] sits in front of any
// slog.Handler and masks the value of every attribute, map entry, header and
// struct field whose name says that it is a secret. [Text] does the same inside
// text, where a name and its value have to be found first: in messages, errors,
// panics, stacks, queries, headers and JSON that something printed.
//
// A text cannot be parsed for certain, because its author may have quoted
// nothing. Where the end of a secret is in doubt, Text masks more rather than
// less, up to the rest of the text. So it also hides text that is no secret: the
// topic "session:42" becomes "session:[FILTERED]". Text does not find a secret
// without a name beside it, nor the rest of an unquoted value that seems to have
// ended: pass those as attributes.
//
// Everything a client can choose passes through here, so all work and all output
// is bounded by constants, whatever the input.
package redact

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mask replaces a secret.
const Mask = "[FILTERED]"

const (
	// MaxText bounds the bytes that Text returns.
	MaxText = 4 << 10
	// MaxStack bounds the bytes that Stack returns.
	MaxStack = 8 << 10
)

// room bounds the bytes of the note about a cut, "... (N bytes cut)", for any N.
const room = 40

// Text returns s with the secrets in it masked, with everything but graphic
// characters and spaces written as Go escapes (so that a client can neither forge
// a line nor colour a terminal nor turn a line around), and cut to MaxText bytes,
// saying how many bytes were cut.
//
// Masked are the values of sensitive names (see [Sensitive]) in key=value,
// key: value, key => value, quoted or not, in JSON and in JSON inside JSON, in what
// Go prints for maps and structs, and in queries, percent-encoded or not; the word
// after Bearer or Basic; JSON Web Tokens; Phoenix tokens, and those in a WebSocket
// subprotocol; and the user part of a URL.
//
// The time it takes is linear in len(s) up to MaxText and constant from there. A
// text in which nothing has to change is returned as it is, without allocation.
func Text(s string) string { return bounded(s, MaxText) }

// Stack is Text for a stack trace: it cuts at MaxStack bytes.
func Stack(s string) string { return bounded(s, MaxStack) }

// bounded is Text with a bound of its own, of at least twice room.
func bounded(s string, limit int) string { return boundedHead(s, len(s), limit) }

// boundedHead is bounded for a text of total bytes whose first ones are s: all of
// them, or more than limit.
func boundedHead(s string, total, limit int) string {
	head, cut := s, total > limit
	if cut {
		head = s[:runeStart(s, limit)]
	}
	dirty, hot := inspect(head, cut)
	if !dirty && !hot && !cut {
		return s
	}
	var spans []span
	if hot {
		f := finder{s: head, cut: cut}
		f.find()
		spans = merge(f.spans)
	}
	if !dirty && !cut && len(spans) == 0 {
		return s
	}
	if !cut {
		if out, used := render(head, spans, limit); used == len(s) {
			return string(out)
		}
	}
	out, used := render(head, spans, limit-room)
	return string(appendCut(out, total-used))
}

func appendCut(out []byte, n int) []byte {
	out = append(out, "... ("...)
	out = strconv.AppendInt(out, int64(n), 10)
	return append(out, " bytes cut)"...)
}

// runeStart is the start of the rune that byte i of s belongs to, or i where s is
// not UTF-8.
func runeStart(s string, i int) int {
	for back := range utf8.UTFMax {
		if i-back >= 0 && utf8.RuneStart(s[i-back]) {
			return i - back
		}
	}
	return i
}

// span is a part of a text that must be masked.
type span struct{ start, end int }

// merge sorts the spans and joins those that overlap or touch, in place.
func merge(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	out := spans[:1]
	for _, s := range spans[1:] {
		if last := &out[len(out)-1]; s.start <= last.end {
			last.end = max(last.end, s.end)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// Sensitive reports whether a name is that of a secret: whether it contains,
// whatever the case, one of password, passwd, token, secret, authorization, cookie,
// api_key, api-key, apikey, session, jwt or csrf.
func Sensitive(name string) bool {
	for i := range len(name) - 1 {
		if !isPair(name[i], name[i+1]) {
			continue
		}
		for _, w := range starting[name[i]] {
			if w.kind.isName() && w.leads(name[i:]) {
				return true
			}
		}
	}
	return false
}

// isStack reports whether the value of this name is bounded as a stack.
func isStack(name string) bool {
	const word = "stack"
	for i := 0; i+len(word) <= len(name); i++ {
		if strings.EqualFold(name[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
