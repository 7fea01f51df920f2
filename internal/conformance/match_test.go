package conformance

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		want, got string
		ok        bool
	}{
		{`1`, `1`, true},
		{`1`, `1.0`, false},
		{`1.0`, `1`, false},
		{`1e3`, `1000.0`, true},
		{`1`, `"1"`, false},
		{`123456789012345678901234567890`, `123456789012345678901234567890`, true},
		{`123456789012345678901234567890`, `123456789012345678901234567891`, false},
		{`null`, `null`, true},
		{`null`, `{}`, false},
		{`null`, `false`, false},
		{`true`, `true`, true},
		{`true`, `1`, false},
		{`"a"`, `"a"`, true},
		{`"a"`, `null`, false},
		{`{"a":1,"b":[2]}`, `{"b":[2],"a":1}`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":1,"b":2}`, `{"a":1}`, false},
		{`{"a":null}`, `{"b":null}`, false},
		{`[1,2]`, `[1,2]`, true},
		{`[1,2]`, `[2,1]`, false},
		{`[1,2]`, `[1]`, false},
		{`[]`, `{}`, false},
		{`{}`, `[]`, false},
		{`"*"`, `"x"`, true},
		{`"*"`, `0`, true},
		{`"*"`, `false`, true},
		{`"*"`, `[0]`, true},
		{`"*"`, `""`, false},
		{`"*"`, `null`, false},
		{`"*"`, `[]`, false},
		{`"*"`, `{}`, false},
		{`["*"]`, `["anything"]`, true},
	}
	for _, tt := range tests {
		want, err := parseJSON([]byte(tt.want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseJSON([]byte(tt.got))
		if err != nil {
			t.Fatal(err)
		}
		if ok := match(want, got); ok != tt.ok {
			t.Errorf("match(%s, %s) = %v", tt.want, tt.got, ok)
		}
	}
}

func TestParseJSON(t *testing.T) {
	for _, text := range []string{``, `{`, `1 2`, `[1]]`, "\x00"} {
		if v, err := parseJSON([]byte(text)); err == nil {
			t.Errorf("parseJSON(%q) = %v, want an error", text, v)
		}
	}
}

func TestQuoteIsBounded(t *testing.T) {
	if got := quote([]byte(strings.Repeat("\xff", 1<<20))); len(got) > 2000 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestLoad(t *testing.T) {
	cases, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Errorf("%d cases", len(cases))
	}
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.ID] {
			t.Errorf("%s stands there twice", c.ID)
		}
		seen[c.ID] = true
		if c.Given == "" || len(c.Steps) == 0 {
			t.Errorf("%s is empty", c.ID)
		}
		for _, s := range c.Steps {
			if verbs[s.Verb] == nil {
				t.Errorf("%s: there is no verb %q", c.ID, s.Verb)
			}
		}
	}
}
