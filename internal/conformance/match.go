package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
)

// parseJSON reads exactly one JSON value and keeps numbers as they are written.
func parseJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w in %s", err, quote(data))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value in %s", quote(data))
	}
	return v, nil
}

// match compares two parsed values. "*" stands for anything that is not empty.
// Integers equal integers of any size, and never a number with a fraction or exponent:
// clients tell 1 from 1.0.
func match(want, got any) bool {
	switch want := want.(type) {
	case string:
		if want == "*" {
			return !empty(got)
		}
		got, ok := got.(string)
		return ok && want == got
	case json.Number:
		got, ok := got.(json.Number)
		return ok && sameNumber(string(want), string(got))
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok || len(want) != len(got) {
			return false
		}
		for k, w := range want {
			if g, ok := got[k]; !ok || !match(w, g) {
				return false
			}
		}
		return true
	case []any:
		got, ok := got.([]any)
		if !ok || len(want) != len(got) {
			return false
		}
		for i := range want {
			if !match(want[i], got[i]) {
				return false
			}
		}
		return true
	}
	return want == got // null, true and false
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func sameNumber(a, b string) bool {
	x, xIsInt := new(big.Int).SetString(a, 10)
	y, yIsInt := new(big.Int).SetString(b, 10)
	if xIsInt || yIsInt {
		return xIsInt && yIsInt && x.Cmp(y) == 0
	}
	f, errA := strconv.ParseFloat(a, 64)
	g, errB := strconv.ParseFloat(b, 64)
	return errA == nil && errB == nil && f == g
}

// quote shows data in a message, cut to a length that one can read.
func quote(data []byte) string {
	const most = 300
	if len(data) <= most {
		return fmt.Sprintf("%q", data)
	}
	return fmt.Sprintf("%q and %d bytes more", data[:most], len(data)-most)
}

// written is a parsed value as JSON again.
func written(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) // cannot happen: v was parsed
	}
	return string(b)
}

// memory keeps values from one step to a later one.
type memory struct {
	port string
	kept map[string]any
}

// fill puts what is kept into a text that is to be sent.
func (m *memory) fill(text string) string {
	text = strings.ReplaceAll(text, "$PORT", m.port)
	for name, v := range m.kept {
		if v, ok := v.(string); ok {
			text = strings.ReplaceAll(text, "$"+name, v)
		}
	}
	return text
}

// expectValue compares one key of a body with what the case lists for it.
func (m *memory) expectValue(key string, want, got any) error {
	if text, ok := want.(string); ok {
		if name, ok := strings.CutPrefix(text, "$save:"); ok {
			if got == nil {
				return fmt.Errorf("%s is missing", key)
			}
			m.kept[name] = got
			return nil
		}
		if name, ok := strings.CutPrefix(text, "$not:"); ok {
			if empty(got) || match(m.kept[name], got) {
				return differ(written(got), "another value", "%s: %v is not new", key, got)
			}
			return nil
		}
		if name, ok := strings.CutPrefix(text, "$"); ok {
			if want, ok = m.kept[name]; !ok {
				return fmt.Errorf("the case keeps no %s", name)
			}
		}
	}
	if key == "messages" {
		return expectMessages(want, got)
	}
	if !match(want, got) {
		return differ(written(map[string]any{key: got}), written(map[string]any{key: want}), "%s: got %v, want %v", key, got, want)
	}
	return nil
}

// expectMessages compares a list of pairs ["json", v] with a list of strings that
// hold JSON.
func expectMessages(want, got any) error {
	pairs, _ := want.([]any)
	list, ok := got.([]any)
	if !ok || len(list) != len(pairs) {
		return differ(written(got), written(want), "messages: got %v, want %v", got, want)
	}
	for i, p := range pairs {
		pair, _ := p.([]any)
		text, ok := list[i].(string)
		if !ok || len(pair) != 2 {
			return differ(written(list[i]), written(p), "message %d: got %v, want %v", i, list[i], p)
		}
		v, err := parseJSON([]byte(text))
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if !match(pair[1], v) {
			return differ(text, written(pair[1]), "message %d: got %s, want %v", i, text, pair[1])
		}
	}
	return nil
}
