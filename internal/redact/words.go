package redact

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind says what stands after a word, and where that ends when nothing quotes it.
type kind uint8

const (
	single kind = iota // a name; its value has no blanks, as tokens have none
	phrase             // a name; its value may have blanks, as passwords may
	wide               // the name of a header; its value has blanks, commas and quotes
	scheme             // an authentication scheme: a blank, then the secret
	webJWT             // the start of a JSON Web Token
	signed             // the start of a Phoenix token
)

func (k kind) isName() bool { return k <= wide }

// word is something that may stand before a secret, or that a secret starts with.
type word struct {
	text  string // in lower case, unless exact
	exact bool   // upper and lower case differ
	kind  kind
}

var words = []word{
	{text: "password", kind: phrase},
	{text: "passwd", kind: phrase},
	{text: "secret", kind: phrase},
	{text: "token", kind: single},
	{text: "api_key", kind: single},
	{text: "api-key", kind: single}, // as in the header X-Api-Key
	{text: "apikey", kind: single},
	{text: "session", kind: single},
	{text: "jwt", kind: single},
	{text: "csrf", kind: single},
	{text: "authorization", kind: wide},
	{text: "cookie", kind: wide},
	{text: "bearer", kind: scheme},
	{text: "basic", kind: scheme},
	{text: "eyJ", exact: true, kind: webJWT},         // {" in base64
	{text: "SFMyNTY.", exact: true, kind: signed},    // signed: HS256
	{text: "XCP.", exact: true, kind: signed},        // encrypted
	{text: "QTEyOEdDTQ.", exact: true, kind: signed}, // encrypted, as older Phoenix did
}

// starting has the words that start with a byte.
var starting = func() (table [256][]word) {
	for _, w := range words {
		b := w.text[0]
		table[b] = append(table[b], w)
		if u := upper(b); !w.exact && u != b {
			table[u] = append(table[u], w)
		}
	}
	return table
}()

// leads reports whether s starts with w, whose first byte has been compared.
func (w *word) leads(s string) bool {
	if len(s) < len(w.text) {
		return false
	}
	for i := 1; i < len(w.text); i++ {
		if b := s[i]; b != w.text[i] && (w.exact || lower(b) != w.text[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// pairs has a bit for each two bytes that a word, an encoded character or the user
// of a URL may start with. Few texts have many of them, so that most bytes cost one
// or two look-ups.
var pairs = func() (table [256][4]uint64) {
	add := func(a, b byte) { table[a][b>>6] |= 1 << (b & 63) }
	for _, w := range words {
		a, b := w.text[0], w.text[1]
		add(a, b)
		if !w.exact {
			add(upper(a), b)
			add(a, upper(b))
			add(upper(a), upper(b))
		}
	}
	add(':', '/')
	add('\\', 'u')
	add('\\', 'x')
	for _, b := range []byte("24567") {
		add('%', b)
	}
	return table
}()

func isPair(a, b byte) bool { return pairs[a][b>>6]&(1<<(b&63)) != 0 }

func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}

// harmless are values that say something about a secret and are no secrets: the log
// is better with "token: expired". A program with one of them as its secret has
// none.
var harmless = map[string]bool{
	"nil": true, "<nil>": true, "null": true, "none": true, "true": true, "false": true, "empty": true,
	"expired": true, "invalid": true, "missing": true, "malformed": true, "required": true, "revoked": true,
	"unknown": true, "refused": true, "mismatch": true, "not": true, "no": true, "is": true,
}

// The kinds of bytes for inspect.
const (
	plain   = iota
	control // to be escaped
	high    // part of a rune that has to be looked at
	first   // of a word, or of an encoded character
)

var classes = func() (table [256]uint8) {
	for b := range table {
		switch {
		case b < 0x20, b == 0x7f:
			table[b] = control
		case b >= utf8.RuneSelf:
			table[b] = high
		case len(starting[b]) > 0, b == '%', b == '\\', b == ':':
			table[b] = first
		}
	}
	return table
}()

// inspect is the quick look that most texts need: whether s has something to
// escape, and whether it may have something to mask. If cut, s is the head of a
// longer text.
func inspect(s string, cut bool) (dirty, hot bool) {
	for i := 0; i < len(s); i++ {
		switch classes[s[i]] {
		case control:
			dirty = true
		case high:
			if dirty {
				continue
			}
			r, n := utf8.DecodeRuneInString(s[i:])
			if !shown(r, n) {
				dirty = true
			}
			i += n - 1
		case first:
			if !hot && i+1 < len(s) && isPair(s[i], s[i+1]) {
				hot = mayLead(s[i:], cut)
			}
		}
	}
	return dirty, hot
}

// mayLead reports whether s, which starts with a pair, starts with something that
// finder has to look at.
func mayLead(s string, cut bool) bool {
	switch s[0] {
	case ':':
		return strings.HasPrefix(s, "://") && (cut || strings.IndexByte(s, '@') > 0)
	case '%': // a letter, or a percent sign that is part of one encoded twice
		return len(s) > 2 && (s[1] != '2' || s[2] == '5')
	case '\\':
		return true
	}
	for i := range starting[s[0]] {
		if starting[s[0]][i].leads(s) {
			return true
		}
	}
	return false
}

// shown reports whether a rune of n bytes goes to the log as it is. Not shown are
// control and format characters (the overrides of direction among them), line
// separators, and bytes that are not UTF-8, which some terminals take for C1.
func shown(r rune, n int) bool {
	return strconv.IsGraphic(r) && (r != utf8.RuneError || n > 1) && r != '\u2028' && r != '\u2029'
}
