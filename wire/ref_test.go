package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

func TestParseRef(t *testing.T) {
	tests := []struct {
		in   string
		want wire.Ref
		text string
	}{
		{`null`, "", ""},
		{` null `, "", ""},
		{`""`, `""`, ""},
		{`"1"`, `"1"`, "1"},
		{`"é<>&"`, `"é<>&"`, "é<>&"},
		{`"\u0031"`, `"1"`, "1"},
		{`"\/"`, `"/"`, "/"},
		{`"\"\\"`, `"\"\\"`, `"\`},
		{`"\u000A\u001F"`, `"\n\u001f"`, "\n\x1f"},
		{`"\ud83d\uDE00"`, `"😀"`, "😀"},
		{`"\u2028"`, "\"\u2028\"", "\u2028"},
		{`1`, `1`, "1"},
		{`-1`, `-1`, "-1"},
		{`-0`, `0`, "0"},
		{`123456789012345678901234567890`, `123456789012345678901234567890`, "123456789012345678901234567890"},
		{`1.0`, `1.0`, "1.0"},
		{`1e0`, `1.0`, "1.0"},
		{`10E-1`, `1.0`, "1.0"},
		{`1.00000000000000000001`, `1.0`, "1.0"},
		{`0.0`, `0.0`, "0.0"},
		{`-0.0`, `0.0`, "0.0"},
		{`0e9`, `0.0`, "0.0"},
		{`1e-400`, `0.0`, "0.0"},
		{`1e3`, `1000.0`, "1000.0"},
		{`2.50`, `2.5`, "2.5"},
		{`-2.50`, `-2.5`, "-2.5"},
		{`1e20`, `100000000000000000000.0`, "100000000000000000000.0"},
		{`1e21`, `1e+21`, "1e+21"},
		{`10e20`, `1e+21`, "1e+21"},
		{`0.0000001`, `1e-07`, "1e-07"},
		{`true`, `true`, "true"},
		{`false`, `false`, "false"},
		{`[]`, `[]`, "[]"},
		{` [ 1 , 1e0 , "\u0031" , null , [ ] , -0 ] `, `[1,1.0,"1",null,[],0]`, `[1,1.0,"1",null,[],0]`},
		{`{}`, `{}`, "{}"},
		{`{"b":1,"a":{"d":[true],"c":"x"}}`, `{"a":{"c":"x","d":[true]},"b":1}`, `{"a":{"c":"x","d":[true]},"b":1}`},
		{`{ "a" : 1 , "\u0061" : 2 , "b" : "}" }`, `{"a":2,"b":"}"}`, `{"a":2,"b":"}"}`},
		{`[{"a":1},{"a":"\\\""}]`, `[{"a":1},{"a":"\\\""}]`, `[{"a":1},{"a":"\\\""}]`},
	}
	for _, tt := range tests {
		got, err := wire.ParseRef([]byte(tt.in))
		if err != nil || got != tt.want || got.Text() != tt.text {
			t.Errorf("ParseRef(%s) = %s, %v with text %q; want %s with text %q", tt.in, got, err, got.Text(), tt.want, tt.text)
		}
		if got.IsNull() != (tt.want == "") {
			t.Errorf("%s: IsNull is %v", tt.in, got.IsNull())
		}
		// Versions 1 and 2 read it the same way.
		if m, err := wire.V2(nil).Decode(wire.Text, []byte("["+tt.in+","+tt.in+`,"t","e",{}]`)); err != nil || m.Ref != got || m.JoinRef != got {
			t.Errorf("V2 reads %s as %s and %s, %v", tt.in, m.JoinRef, m.Ref, err)
		}
		in := `{"topic":"t","event":"e","payload":{},"ref":` + tt.in + `,"join_ref":` + tt.in + `}`
		if m, err := wire.V1(nil).Decode(wire.Text, []byte(in)); err != nil || m.Ref != got || m.JoinRef != got {
			t.Errorf("V1 reads %s as %s and %s, %v", tt.in, m.JoinRef, m.Ref, err)
		}
	}
}

// Values of different types are different refs.
func TestRefTypesStayApart(t *testing.T) {
	seen := map[wire.Ref]string{}
	for _, in := range []string{`null`, `1`, `1.0`, `"1"`, `"1.0"`, `[1]`, `"[1]"`, `true`, `"true"`, `""`, `"null"`, `{}`, `[]`, `0`, `0.0`, `false`} {
		r, err := wire.ParseRef([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if other, found := seen[r]; found {
			t.Errorf("%s and %s are both %q", in, other, r)
		}
		seen[r] = in
	}
}

func TestRefBounds(t *testing.T) {
	n := wire.MaxRef
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"string", `"` + strings.Repeat("x", n) + `"`, true},
		{"string too long", `"` + strings.Repeat("x", n+1) + `"`, false},
		{"escaped", `"` + strings.Repeat(`\u0078`, n) + `"`, true},
		{"escaped too long", `"` + strings.Repeat(`\u0078`, n+1) + `"`, false},
		{"integer", strings.Repeat("9", n), true},
		{"integer too long", strings.Repeat("9", n+1), false},
		{"array", "[" + strings.Repeat("9", n-2) + "]", true},
		{"array too long", "[" + strings.Repeat("9", n-1) + "]", false},
		{"float of many digits", "1." + strings.Repeat("0", 2*n), true},
		{"very long", "1." + strings.Repeat("0", 100*n), false},
	}
	for _, tt := range tests {
		_, err := wire.ParseRef([]byte(tt.in))
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v, want ok %v", tt.name, err, tt.ok)
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	for _, in := range []string{``, ` `, `x`, `1 2`, `"`, `"\ud800"`, `[1,]`, `01`} {
		if r, err := wire.ParseRef([]byte(in)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("ParseRef(%q) = %s, %v", in, r, err)
		}
	}
}

// A Ref made by hand may be any text, and must not cause a panic.
func TestTextOfBrokenRef(t *testing.T) {
	for _, r := range []wire.Ref{`"`, `"\"`, `"\u"`, `"\u12"`, `"\ud83d"`, `"\ud83d\u"`, `"\ud83d\ude"`, `\`, `"a`} {
		_ = r.Text()
	}
}
