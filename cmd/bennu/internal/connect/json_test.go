package connect

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestJSONTypos(t *testing.T) {
	// The caret in the second line stands under the place in the first.
	tests := []struct{ json, caret, what string }{
		{`{"body":"hi}`, `        ^`, "this string has no closing quote"},
		{`{"body:"hi"}`, `        ^`, "a colon is missing before this"},
		{`{"body":"a\"}`, `        ^`, "this string has no closing quote"},
		{`{"body":"hi"`, `            ^`, "} is missing here"},
		{`{"a":[1,{"b":2`, `              ^`, "}]} is missing here"},
		{`[`, ` ^`, "] is missing here"},
		{`{body:"hi"}`, ` ^`, `a name stands in double quotes: "body"`},
		{`{'body':"hi"}`, ` ^`, `strings and names stand in double quotes: "…"`},
		{`{"body":'hi'}`, `        ^`, `strings and names stand in double quotes: "…"`},
		{`{“body”:"hi"}`, ` ^`, `“ is a typographic quote, and JSON wants "`},
		{`{"a":1,}`, `       ^`, "there must be no comma after the last element"},
		{`[1,2,]`, `     ^`, "there must be no comma after the last element"},
		{`[1,,2]`, `   ^`, "something is missing before this comma"},
		{`{"a" 1}`, `     ^`, "a colon is missing before this"},
		{`{"a"="b"}`, `    ^`, "a colon stands between a name and its value, no ="},
		{`{"a"}`, `    ^`, "a colon and a value are missing before this"},
		{`{"a":}`, `     ^`, "a value is missing before this"},
		{`{"a":`, `     ^`, "a value is missing here"},
		{`{"a"`, `    ^`, "a colon and a value are missing here"},
		{`{"a":1,`, `       ^`, "something is missing here"},
		{`{"a":1 "b":2}`, `       ^`, "a comma is missing before this"},
		{`{"a":"b":1}`, `        ^`, "a colon may follow only a name, and this is a value"},
		{`{"a":1;"b":2}`, `      ^`, "commas stand between values, no ;"},
		{`{"a":[1}`, `       ^`, "} closes no ["},
		{`{"a":1}}`, `       ^`, "one } too many"},
		{`{"a":1} x`, `        ^`, "the payload has ended before this"},
		{`{"a":True}`, `     ^`, "true is written in small letters"},
		{`{"a":nil}`, `     ^`, "JSON writes null for this"},
		{`{"a":undefined}`, `     ^`, "JSON writes null for this"},
		{`{"a":NaN}`, `     ^`, "JSON has no such number"},
		{`{"a":hello}`, `     ^`, `text stands in double quotes: "hello"`},
		{`{"a":+1}`, `     ^`, "a number has no + in front"},
		{`{"a":01}`, `     ^`, "a number has no 0 in front"},
		{`{"a":.5}`, `     ^`, "a number has a digit before its point: 0."},
		{`{"a":1.}`, `     ^`, "number badly written"},
		{`{"a":1e999}`, `     ^`, "number beyond a float64"},
		{`{"a":1 // one`, `       ^`, "JSON has no comments"},
		{`{"a":"\q"}`, `      ^`, "unknown escape in a string"},
		{`{"a":"\ud800"}`, `      ^`, "lone surrogate in a string"},
		{`{"a":#}`, `     ^`, "no value begins with #"},
		{`{"日本":x}`, `        ^`, `text stands in double quotes: "x"`}, // wide characters
		{strings.Repeat("[", 65), strings.Repeat(" ", 64) + "^", "more than 64 levels of arrays and objects"},
	}
	for _, tt := range tests {
		t.Run(tt.json, func(t *testing.T) {
			_, err := parseJSON("shout "+tt.json, len("shout "))
			bad, ok := errors.AsType[*typo](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			want := "  shout " + tt.json + "\n        " + tt.caret + " " + tt.what + "\n"
			if got := bad.show(palette{}, 200); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestJSONCompact(t *testing.T) {
	got, err := parseJSON(`x { "a" : [ 1, "\u0061" ] } `, 2)
	if want := `{"a":[1,"a"]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// A long line is shown around the place, and control characters in it do nothing.
func TestTypoExcerpt(t *testing.T) {
	line := `shout {"a":"` + strings.Repeat("x", 100) + "\x1b\"" + ` oops ` + strings.Repeat("y", 100)
	_, err := parseJSON(line, len("shout "))
	bad, ok := errors.AsType[*typo](err)
	if !ok {
		t.Fatal(err)
	}
	lines := strings.Split(bad.show(palette{}, 40), "\n")
	if strings.ContainsRune(lines[0], 0x1b) || utf8.RuneCountInString(lines[0]) > 40 {
		t.Errorf("the line is %q", lines[0])
	}
	if at := strings.IndexRune(lines[1], '^'); at < 0 || []rune(lines[0])[at] != '\ufffd' {
		t.Errorf("the caret is elsewhere:\n%s\n%s", lines[0], lines[1])
	}
}

func FuzzExplain(f *testing.F) {
	f.Add(`{"a":[1,"b`)
	f.Add(`{"a":"\`)
	f.Add("}]")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := parseJSON(text, 0)
		if bad, ok := errors.AsType[*typo](err); ok {
			if bad.at < 0 || bad.at > len(text) || bad.what == "" {
				t.Errorf("%q: at %d: %q", text, bad.at, bad.what)
			}
			bad.show(palette{}, 30)
		}
	})
}
