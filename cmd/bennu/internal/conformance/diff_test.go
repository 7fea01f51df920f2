package conformance

import (
	"slices"
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	for _, tt := range []struct {
		want, got string
		out       []string
	}{
		{`[1,{"a":"x"}]`, `[1,{"a":"y"}]`, []string{`[1].a: want "x", got "y"`}},
		{`[1,2]`, `[1]`, []string{`[1]: want 2, got nothing`}},
		{`[1]`, `[1,null]`, []string{`[1]: want nothing, got null`}},
		{`{"a":1,"b":2}`, `{"b":2.0,"c":3}`, []string{`.a: want 1, got nothing`, `.b: want 2, got 2.0`, `.c: want nothing, got 3`}},
		{`{"a":"*"}`, `{"a":7}`, nil},
		{`{"a":"*"}`, `{"a":""}`, []string{`.a: want "*", got ""`}},
		{`{"a":[]}`, `{"a":{}}`, []string{`.a: want [], got {}`}},
		{`1`, `2`, nil},
		{`{}`, `[]`, nil},
		{`{}`, `{`, nil},
		{"status 200", "status 404", nil},
	} {
		if got := differences(tt.want, tt.got); !slices.Equal(got, tt.out) {
			t.Errorf("%s and %s: %q, want %q", tt.want, tt.got, got, tt.out)
		}
	}
	many := differences("["+strings.Repeat("1,", 99)+"1]", "[]")
	if len(many) != mostDifferences+1 || many[mostDifferences] != "and 90 more" {
		t.Errorf("%q", many)
	}
}

func TestShorten(t *testing.T) {
	if got := shorten("é\x1b[1m\xff" + strings.Repeat("x", 1000)); !strings.HasPrefix(got, `é\x1b[1m`) || !strings.HasSuffix(got, "x... (607 bytes more)") || len(got) > 450 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
