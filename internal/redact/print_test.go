package redact

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type teller func() string

func (t teller) Error() string { return t() }

type named struct {
	Name string
	Err  error
}

func TestPrint(t *testing.T) {
	self := map[string]any{}
	self["self"] = self
	list := make([]any, 1)
	list[0] = list
	var ring struct{ Next any }
	ring.Next = &ring
	huge := strings.Repeat("x", 1<<20)
	many := map[int]string{}
	for i := range 10_000 {
		many[i] = huge[:100]
	}
	for _, tc := range []struct {
		v    any
		want string // or its beginning, with ... at its end
	}{
		{nil, "<nil>"},
		{"boom", "boom"},
		{7, "7"},
		{-1.5, "-1.5"},
		{2i, "(0+2i)"},
		{true, "true"},
		{[]byte("a\n"), `"a\n"`},
		{[3]byte{1}, "[1 0 0]"},
		{errors.New("e"), "e"},
		{fmt.Errorf("a: %w", errors.New("b")), "a: b"},
		{errors.Join(errors.New("a"), errors.New("b")), "a\nb"},
		{(*named)(nil), "<nil>"},
		{named{Name: "n", Err: errors.New("e")}, "{Name:n Err:e}"},
		{&named{Name: "n"}, "&{Name:n Err:<nil>}"},
		{map[string]int{"b": 2, "a": 1}, "map[a:1 b:2]"},
		{[]any{1, nil, "x"}, "[1 <nil> x]"},
		{func() {}, "(func())"},
		{time.Second, "1s"},
		{&secretive{"abc"}, "token=abc secretive"},
		{self, "map[self:map[..."},
		{list, "[[[..."},
		{&ring, "&{Next:&{..."},
		{huge, "xxx..."},
		{[]byte(huge), `"xxx...`},
		{many, "map[..."},
		{teller(func() string { return huge }), "xxx..."},
		{teller(func() string { panic("p") }), "(panic: p)"},
		{teller(func() string { panic(self) }), "(panic: map[self:..."},
		{teller(func() string { runtime.Goexit(); return "" }), "(runtime.Goexit)"},
		{[]error{teller(func() string { panic("p") })}, "[(panic: p)]"},
	} {
		got := Print(tc.v)
		want, cut := strings.CutSuffix(tc.want, "...")
		if len(got) > maxPrint+3 || got != tc.want && !(cut && strings.HasPrefix(got, want)) {
			t.Errorf("%T: %.200q, want %q", tc.v, got, tc.want)
		}
	}
}

// TestPrintForEver prints values whose methods do not return.
func TestPrintForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		waits := teller(func() string { <-stop; return "" })
		if got := Print(map[string]error{"a": waits}); got != "map[a:(the text of a redact.teller takes too long)]" {
			t.Errorf("%q", got)
		}
	})
}
