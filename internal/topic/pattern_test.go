package topic

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

func TestMaxTopic(t *testing.T) {
	if MaxTopic != wire.MaxTopic {
		t.Errorf("%d, and wire has %d", MaxTopic, wire.MaxTopic)
	}
}

func parse(t *testing.T, pattern string) Pattern {
	t.Helper()
	p, fault := ParsePattern(pattern)
	if fault != "" {
		t.Fatal(fault)
	}
	if p.String() != pattern {
		t.Errorf("%q became %q", pattern, p)
	}
	return p
}

func TestPattern(t *testing.T) {
	for _, test := range []struct {
		pattern, topic string
		want           bool
	}{
		{"*", "", true}, {"*", "a", true},
		{"a", "a", true}, {"a", "ab", false}, {"a", "", false},
		{"a:*", "a:", true}, {"a:*", "a:b", true}, {"a:*", "a", false}, {"a:*", "b:a:", false},
	} {
		if got := parse(t, test.pattern).Match(test.topic); got != test.want {
			t.Errorf("%q matches %q: %t", test.pattern, test.topic, got)
		}
	}
	for _, test := range []struct {
		one, other string
		want       bool
	}{
		{"*", "a", true}, {"*", "a*", true}, {"*", "*", true}, {"a*", "*", false},
		{"a*", "a", true}, {"a", "a*", false}, {"a", "a", true}, {"a", "b", false}, {"a:*", "a:b*", true}, {"a:b*", "a:*", false},
	} {
		if got := parse(t, test.one).Covers(parse(t, test.other)); got != test.want {
			t.Errorf("%q covers %q: %t", test.one, test.other, got)
		}
	}
}

func TestPatternFaults(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                             "must not be empty",
		"a\xff":                        "UTF-8",
		strings.Repeat("x", 256):       "at most 255 bytes",
		"room:{id}":                    `the part "{id}" matches only itself`,
		"phx:x":                        "belong to the library",
		"a*b":                          `only a prefix can be matched, as in "a*"`,
		"**":                           "not the last character",
		strings.Repeat("x", 255) + "*": "",
	} {
		if _, got := ParsePattern(pattern); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
}
