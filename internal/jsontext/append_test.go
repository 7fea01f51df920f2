package jsontext_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/jsontext"
)

func TestAppendString(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", `""`},
		{"plain", `"plain"`},
		{`"\/`, `"\"\\/"`},
		{"\b\f\n\r\t", `"\b\f\n\r\t"`},
		{"\x00\x01\x0b\x1f\x7f", `"\u0000\u0001\u000b\u001f` + "\x7f" + `"`},
		{"<ü>&'", `"<ü>&'"`},
		{"\u2028\u2029\ufeff😀", "\"\u2028\u2029\ufeff😀\""},
		{"a\xffb\xc3", "\"a\ufffdb\ufffd\""},
		{"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""}, // a surrogate
		{"\ufffd", "\"\ufffd\""},
		{`\u2028`, `"\\u2028"`},
	}
	for _, tt := range tests {
		if got := jsontext.AppendString([]byte("x"), tt.in); string(got) != "x"+tt.want {
			t.Errorf("AppendString(%q) = %s, want %s", tt.in, got[1:], tt.want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range append([]string{"a\x00\x1f\x7f\"\\/<>&", "\u2028\\u2028\xff", "é😀\b\f\n\r\t"}, seeds...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := jsontext.AppendString(nil, s)
		var back string
		if err := stdjson.Unmarshal(got, &back); err != nil || back != string([]rune(s)) {
			t.Fatalf("%q is written %s and read %q, %v", s, got, back, err)
		}
	})
}

type marshalsAs string

func (m marshalsAs) MarshalJSON() ([]byte, error) { return []byte(m), nil }

func TestAppend(t *testing.T) {
	type pair struct {
		A string             `json:"a"`
		B stdjson.RawMessage `json:"b,omitempty"`
	}
	tests := []struct {
		in   any
		want string
	}{
		{nil, `null`},
		{"<\u2028>", "\"<\u2028>\""},
		{7, `7`},
		{map[string]any{"b": 1, "a": []int{1, 2}}, `{"a":[1,2],"b":1}`},
		{pair{A: "<ü>&/\x7f"}, "{\"a\":\"<ü>&/\x7f\"}"},
		{pair{A: "\u2028 \u2029"}, "{\"a\":\"\u2028 \u2029\"}"},
		{pair{A: `\u2028`}, `{"a":"\\u2028"}`},
		{pair{A: "\\\u2028"}, "{\"a\":\"\\\\\u2028\"}"},
		{pair{A: `\\u2029` + "\u2029"}, `{"a":"\\\\u2029` + "\u2029\"}"},
		{pair{A: "a\xffb\n"}, "{\"a\":\"a\ufffdb\\n\"}"},
		{pair{B: stdjson.RawMessage(" [ 1 , 2 ] ")}, `{"a":"","b":[1,2]}`},
		{stdjson.RawMessage(" { \"a\" : \"\\u003c\" } "), `{"a":"<"}`},
		{stdjson.RawMessage(nil), `null`},
		{marshalsAs(`"\u2028\\"`), "\"\u2028\\\\\""},
		{marshalsAs(`{ "a" : 1 }`), `{"a":1}`},
		{map[string]int{"\u2028": 1}, "{\"\u2028\":1}"},
		{[]byte{1, 2}, `"AQI="`},
		{struct{}{}, `{}`},
	}
	for _, tt := range tests {
		got, err := jsontext.Append([]byte("kept"), tt.in)
		if err != nil || string(got) != "kept"+tt.want {
			t.Errorf("Append(%#v) = %s, %v; want kept%s", tt.in, got, err, tt.want)
		}
	}
}

func TestAppendErrors(t *testing.T) {
	for _, v := range []any{
		make(chan int), math.NaN(), marshalsAs(`{`), []any{marshalsAs(`x`)},
		stdjson.RawMessage(`{`), stdjson.RawMessage(``), stdjson.RawMessage(`"` + "\xff" + `"`), stdjson.RawMessage(`1e400`),
		map[string]any{"a": stdjson.RawMessage("\"\xff\"")},
	} {
		dst := []byte("kept")
		if got, err := jsontext.Append(dst, v); err == nil || string(got) != "kept" {
			t.Errorf("Append(%#v) = %q, %v; want an error and dst", v, got, err)
		}
	}
	// An error leaves nothing behind for the next call.
	if got, err := jsontext.Append(nil, []int{1}); err != nil || string(got) != "[1]" {
		t.Errorf("after errors: %s, %v", got, err)
	}
}

// A MarshalJSON method may use this package itself.
func TestAppendWithinItself(t *testing.T) {
	got, err := jsontext.Append(nil, []any{nested{}, 1})
	if err != nil || string(got) != `[{"in":["<"]},1]` {
		t.Errorf("got %s, %v", got, err)
	}
}

type nested struct{}

func (nested) MarshalJSON() ([]byte, error) {
	return jsontext.Append(nil, map[string][]string{"in": {"<"}})
}

func TestCompact(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{}`, `{}`},
		{`{"a":[1,2.50,"b c",null],"a":1}`, `{"a":[1,2.50,"b c",null],"a":1}`},
		{"{\n\t\"a b\" : [ 1 , \" \" ]\r\n}\n", `{"a b":[1," "]}`},
		{` 1 `, `1`},
		{`"\u003c\/\u00e9\u2028"`, "\"</é\u2028\""},
		{`"\"\\\b\f\n\r\t\u0001\u001f"`, `"\"\\\b\f\n\r\t\u0001\u001f"`},
		{`"\u0022\u005C\u0008\u000a\u001F"`, `"\"\\\b\n\u001f"`},
		{`{"\u0061":"\ud83d\ude00"}`, `{"a":"😀"}`},
		{`" \" , : "`, `" \" , : "`},
	}
	for _, tt := range tests {
		in := []byte(tt.in)
		got, err := jsontext.Compact(in)
		if err != nil || string(got) != tt.want {
			t.Errorf("Compact(%s) = %s, %v; want %s", tt.in, got, err, tt.want)
			continue
		}
		same := tt.in == tt.want
		if (&got[0] == &in[0]) != same {
			t.Errorf("Compact(%s): copied %v, want %v", tt.in, same, !same)
		}
		if string(in) != tt.in {
			t.Errorf("Compact(%s) changed its input to %s", tt.in, in)
		}
	}
	for _, in := range []string{``, `{`, `{} {}`, "\"\xff\"", `"\ud800"`, `1e400`, strings.Repeat("[", 65) + strings.Repeat("]", 65)} {
		if got, err := jsontext.Compact([]byte(in)); !errors.Is(err, jsontext.ErrMalformed) || got != nil {
			t.Errorf("Compact(%q) = %q, %v", in, got, err)
		}
	}
	// A server's own lists may be longer than a client's.
	long := bytes.Repeat([]byte("1,"), jsontext.MaxTokens)
	long = append(append([]byte{'['}, long...), "1]"...)
	if _, err := jsontext.Compact(long); err != nil {
		t.Errorf("Compact of many tokens: %v", err)
	}
}

// FuzzAppend: what Append writes means what encoding/json writes.
func FuzzAppend(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Add("\\\u2028\\u2028\\\\\u2029\xff")
	f.Fuzz(func(t *testing.T, s string) {
		v := map[string][]string{s: {s, `\` + s}}
		got, err := jsontext.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(got) || bytes.Contains(got, []byte{'\n'}) || !isCompact(got) {
			t.Fatalf("%q is written %q", s, got)
		}
		want, err := stdjson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(decodeAny(t, got), decodeAny(t, want)) {
			t.Fatalf("%q is written %q", s, got)
		}
	})
}

// isCompact reports whether Compact returns text itself.
func isCompact(text []byte) bool {
	got, err := jsontext.Compact(text)
	return err == nil && len(got) == len(text) && &got[0] == &text[0]
}
