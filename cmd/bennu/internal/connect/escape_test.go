package connect

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{`{"body":"hi"}`, `{"body":"hi"}`},
		{"häron 日本 🐦", "häron 日本 🐦"},
		{"\x1b[2J", `\u001b[2J`},
		{"\x1b]0;title\x07", `\u001b]0;title\u0007`},
		{"\u009b31m", `\u009b31m`},       // CSI as one character
		{"\x9b31m", `\ufffd31m`},         // and as one byte
		{"a\x7f\b", `a\u007f\u0008`},     // what deletes
		{"\u202eabc", `\u202eabc`},       // turned around
		{"\u2066abc", `\u2066abc`},       // the same, isolated
		{"\u200b\ufeff", `\u200b\ufeff`}, // not to be seen
		{"\U000e0041", `\udb40\udc41`},   // a letter not to be seen
		{"a\nb\r\nc\td", "a b  c d"},
		{"\u2028", `\u2028`},
	}
	for _, tt := range tests {
		if got := escape(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// For any input, the output has no characters that control a terminal. The value of JSON does not
// change.
func FuzzEscape(f *testing.F) {
	f.Add("{\"a\":\"\u202e\U000e0041\x7f\"}")
	f.Add("\x1b[31m\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := escape(text)
		painted, _ := palette{}.json(text, 0)
		for _, shown := range []string{got, painted} {
			for i, r := range shown {
				if _, n := utf8.DecodeRuneInString(shown[i:]); !visible(r, n) {
					t.Fatalf("%q gives %q", text, shown)
				}
			}
		}
		var before, after any
		if json.Unmarshal([]byte(text), &before) == nil && utf8.ValidString(text) {
			if err := json.Unmarshal([]byte(got), &after); err != nil || !reflect.DeepEqual(before, after) {
				t.Fatalf("%q means something else as %q: %v", text, got, err)
			}
		}
	})
}

func TestPaintJSON(t *testing.T) {
	text := `{"a":"x\"y","b":[1,-2.5e3,true,null]}`
	plain, left := palette{}.json(text, 0)
	if plain != text || left != 0 {
		t.Errorf("without colours: %q, %d left", plain, left)
	}
	painted, _ := palette{on: true}.json(text, 0)
	for _, want := range []string{"\x1b[36m\"a\"\x1b[0m", "\x1b[32m\"x\\\"y\"\x1b[0m", "\x1b[35m-2.5e3\x1b[0m", "\x1b[33mnull\x1b[0m"} {
		if !strings.Contains(painted, want) {
			t.Errorf("%q is not in %q", want, painted)
		}
	}
	if got := uncolored(painted); got != text {
		t.Errorf("the colours change the text: %q", got)
	}
	cut, left := palette{on: true}.json(text, 9)
	if got := uncolored(cut); got != text[:9] || left != len(text)-9 {
		t.Errorf("cut: %q, %d left", got, left)
	}
}

// uncolored returns text without the sequences of paint.
func uncolored(text string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(text, "\x1b[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		_, text, _ = strings.Cut(after, "m")
	}
}
