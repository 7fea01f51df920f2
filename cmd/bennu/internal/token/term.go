package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	phx "github.com/bennu-go/bennu/token"
)

// elixir writes a value in the syntax of Elixir, which differs for strings and atoms, and for lists
// and tuples. Characters that cannot be printed are escaped.
func elixir(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return elixirBinary(v)
	case phx.Atom:
		if isPlainAtom(string(v)) {
			return ":" + string(v)
		}
		return ":" + strconv.Quote(string(v))
	case phx.Tuple:
		return "{" + elixirList(v) + "}"
	case []any:
		return "[" + elixirList(v) + "]"
	case phx.Map:
		pairs := make([]string, 0, len(v))
		for _, k := range sortedKeys(v) {
			if a, ok := k.(phx.Atom); ok && isPlainAtom(string(a)) {
				pairs = append(pairs, string(a)+": "+elixir(v[k]))
			} else {
				pairs = append(pairs, elixir(k)+" => "+elixir(v[k]))
			}
		}
		return "%{" + strings.Join(pairs, ", ") + "}"
	}
	return fmt.Sprint(v) // booleans and numbers
}

func elixirList(list []any) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = elixir(v)
	}
	return strings.Join(parts, ", ")
}

func elixirBinary(s string) string {
	if utf8.ValidString(s) {
		return strconv.Quote(s)
	}
	parts := make([]string, len(s))
	for i := range len(s) {
		parts[i] = strconv.Itoa(int(s[i]))
	}
	return "<<" + strings.Join(parts, ", ") + ">>"
}

// isPlainAtom reports whether an atom needs no quotes.
func isPlainAtom(s string) bool {
	for i, c := range s {
		if c != '_' && !(c < unicode.MaxASCII && unicode.IsLetter(c)) && (i == 0 || !unicode.IsDigit(c) && c != '@') {
			return false
		}
	}
	return s != ""
}

// sortedKeys returns the keys in an order that is always the same.
func sortedKeys(m phx.Map) []any {
	return slices.SortedFunc(maps.Keys(m), func(a, b any) int { return strings.Compare(elixir(a), elixir(b)) })
}

// toJSON makes a value for JSON: atoms and keys of maps become strings, tuples become lists, and
// bytes that are not text become {"base64": "..."}.
func toJSON(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(jsonValue(v)); err != nil {
		return nil // cannot happen: a token holds no NaN
	}
	return bytes.TrimSpace(b.Bytes())
}

func jsonValue(v any) any {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return map[string][]byte{"base64": []byte(v)}
		}
	case phx.Atom:
		return string(v)
	case phx.Tuple:
		return jsonList(v)
	case []any:
		return jsonList(v)
	case *big.Int:
		return json.Number(v.String())
	case phx.Map:
		m := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) {
			m[jsonKey(k)] = jsonValue(v[k])
		}
		return m
	}
	return v
}

func jsonList(list []any) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = jsonValue(v)
	}
	return all
}

func jsonKey(k any) string {
	switch k := k.(type) {
	case string:
		if utf8.ValidString(k) {
			return k
		}
	case phx.Atom:
		return string(k)
	}
	return elixir(k)
}
