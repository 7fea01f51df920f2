package jsontext_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/jsontext"
)

func TestCheck(t *testing.T) {
	huge := strings.Repeat("9", 400)
	tests := []struct {
		in string
		ok bool
	}{
		{`{}`, true}, {`[]`, true}, {`""`, true}, {`0`, true}, {`-0`, true}, {`true`, true}, {`false`, true}, {`null`, true},
		{" \t\r\n[ 1 , { \"a\" : [ ] , \"b\" : { } } ]\n", true},
		{`[[[]],{"a":{"b":[{}]}}]`, true},
		{`"\"\\\/\b\f\n\r\t\u0000\uABcd"`, true},
		{`"01234567\"1234567\\\u0041"`, true},
		{`"é€😀 and then some ASCII"`, true},
		{"\"\x7f\u2028\ufffe\U0010ffff\"", true},
		{`"\ud83d\ude00"`, true}, {`"\uDBFF\uDFFF"`, true},
		{`-12.5e-3`, true}, {`1E+2`, true}, {`0.0`, true}, {`0e1`, true},
		{huge, true}, {"-" + huge, true}, // integers have any size
		{`1.7976931348623157e308`, true}, {`179769313486231570000000000000000000000e270`, true},
		{`1.7976931348623158e308`, true}, {`0.00017976931348623157e312`, true},
		{"1" + strings.Repeat("0", 308) + ".0", true},
		{`0e400`, true}, {`0.000e999999999999999999999`, true}, {`1e-400`, true}, {`1e-99999999999999999999`, true},
		{`0.` + strings.Repeat("0", 500) + `1e600`, true},

		{``, false}, {` `, false}, {`{`, false}, {`[`, false}, {`}`, false}, {`]`, false}, {`,`, false}, {`:`, false},
		{`{]`, false}, {`[}`, false}, {`[1}`, false}, {`{"a":1]`, false}, {`[[]`, false}, {`[]]`, false},
		{`[1,]`, false}, {`[,1]`, false}, {`[1 2]`, false}, {`[1,,2]`, false},
		{`{"a"}`, false}, {`{"a":}`, false}, {`{"a":1,}`, false}, {`{a:1}`, false}, {`{1:1}`, false}, {`{"a":1 "b":2}`, false},
		{`{"a"1}`, false}, {`{"a":1,2}`, false}, {`{,}`, false}, {`{"a`, false}, {`{"a":1`, false}, {`{"a":1,`, false},
		{`[{"a":[1},2]`, false},
		{`tru`, false}, {`True`, false}, {`nul`, false}, {`nullx`, false}, {`falsey`, false}, {`NaN`, false}, {`Infinity`, false}, {`undefined`, false},
		{`01`, false}, {`-01`, false}, {`-`, false}, {`+1`, false}, {`.5`, false}, {`5.`, false}, {`1.e2`, false}, {`1e`, false}, {`1e+`, false},
		{`0x10`, false}, {`1_000`, false}, {`--1`, false}, {`1.2.3`, false}, {`1e2e3`, false},
		{`1e400`, false}, {`-1e400`, false}, {`1e309`, false}, {`1.7976931348623159e308`, false}, {`1e99999999999999999999`, false},
		{huge + ".0", false}, {huge + "e0", false}, {`0.1e310`, false}, {"[1e400]", false},
		{`"`, false}, {`"a`, false}, {`"\`, false}, {`"\"`, false}, {`"\x41"`, false}, {`"\u12"`, false}, {`"\u12g4"`, false}, {`"\u"`, false}, {`"\'"`, false}, {`'a'`, false},
		{"\"\n\"", false}, {"\"\x00\"", false}, {"\"\x1f\"", false}, {"\"1234567\t\"", false},
		{`"\ud800"`, false}, {`"\udc00"`, false}, {`"\ud800\u0041"`, false}, {`"\ud800\ud800"`, false}, {`"\ud800x"`, false}, {`"\udc00\ud800"`, false}, {`"\ud800\`, false}, {`"\ud800\u`, false}, {`"\ud800\udc0`, false},
		{"\"\xff\"", false}, {"\"\xc0\x80\"", false}, {"\"\xed\xa0\x80\"", false}, {"\"\xf4\x90\x80\x80\"", false}, {"\"\xe2\x82\"", false}, {"\"\xc3", false},
		{"\"abcdefgh\xff\"", false}, {"\xff", false}, {"[1]\xff", false}, {"\ufeff{}", false}, {"\u00a0{}", false}, {"\v1", false},
		{`{}x`, false}, {`1 2`, false}, {`[] []`, false}, {"{}\x00", false}, {`// c`, false}, {`[1] // c`, false},
	}
	for _, tt := range tests {
		err := jsontext.Check([]byte(tt.in))
		if (err == nil) != tt.ok {
			t.Errorf("Check(%.60q) = %v, want ok %v", tt.in, err, tt.ok)
		}
		if err != nil && !errors.Is(err, jsontext.ErrMalformed) {
			t.Errorf("Check(%.60q) = %v, which is not ErrMalformed", tt.in, err)
		}
	}
}

// Every byte at every place in a string, so that the eight-byte step is tried with
// the byte in each of its lanes.
func TestCheckEveryByteInString(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			for _, fill := range []byte{' ', 'a', '~', 0x7f} {
				in := append(bytes.Repeat([]byte{fill}, at), byte(c))
				in = append(in, bytes.Repeat([]byte{fill}, 20-at)...)
				in = slices.Concat([]byte{'"'}, in, []byte{'"'})
				want := stdjson.Valid(in) && utf8.Valid(in)
				if got := jsontext.Check(in) == nil; got != want {
					t.Fatalf("Check(%q) accepted: %v, want %v", in, got, want)
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	nest := func(n int, open, closing string) string {
		return strings.Repeat(open, n) + strings.Repeat(closing, n)
	}
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	mixed := func(n int) string { return strings.Repeat(`[{"a":`, n) + "[]" + strings.Repeat("}]", n) }
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }
	members := func(n int) string { return "{" + strings.TrimSuffix(strings.Repeat(`"":1,`, n), ",") + "}" }
	tests := []struct {
		name string
		in   string
		want error
	}{
		{"depth", nest(jsontext.MaxDepth, "[", "]"), nil},
		{"too deep", nest(jsontext.MaxDepth+1, "[", "]"), jsontext.ErrTooDeep},
		{"objects", objects(jsontext.MaxDepth), nil},
		{"too deep objects", objects(jsontext.MaxDepth + 1), jsontext.ErrTooDeep},
		{"mixed", mixed(31), nil},
		{"too deep mixed", mixed(32), jsontext.ErrTooDeep},
		{"unclosed", strings.Repeat("[", 1<<20), jsontext.ErrTooDeep},
		{"side by side", "[" + strings.TrimSuffix(strings.Repeat("[[]],", 3000), ",") + "]", nil},
		{"tokens", list(jsontext.MaxTokens - 1), nil},
		{"too many tokens", list(jsontext.MaxTokens), jsontext.ErrTooManyTokens},
		{"keys are tokens", members(jsontext.MaxTokens / 2), jsontext.ErrTooManyTokens},
		{"keys", members(jsontext.MaxTokens/2 - 1), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := jsontext.Check([]byte(tt.in))
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("Check: %v, want %v", err, tt.want)
			}
		})
	}
}

// seeds are inputs near the edges of the grammar.
var seeds = []string{
	``, `null`, `[1,"a",{"b":[true,false,null]}]`, `{"a":{"a":1},"a":2}`, `-1.5e-7`, `1e309`, `"\ud83d\ude00"`, `"\ud83d"`,
	`"\u2028\\u2028\/"`, "\"\xff\"", " [ ] ", `[null,"1","phoenix","heartbeat",{}]`, `["1",2,"t\u0041",{"e":1.0},[],6]`,
	`{"\u0074opic":"t","event":"e","payload":{},"ref":1,"join_ref":[1.0,-0]}`, strings.Repeat("[", 65), `"abcdefg` + "\x01" + `"`,
}

var (
	numberToken  = regexp.MustCompile(`-?\d+(\.\d+)?([eE][+-]?\d+)?`)
	surrogateEsc = regexp.MustCompile(`(?i)\\ud[89a-f]`)
)

// FuzzScan holds the scanner against encoding/json: it accepts no more, and what
// it refuses beyond that has one of the reasons the package documentation names.
func FuzzScan(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := jsontext.Check(data)
		switch valid := stdjson.Valid(data); {
		case err == nil && !valid:
			t.Fatalf("accepted %q", data)
		case err == nil || !valid:
		case errors.Is(err, jsontext.ErrTooDeep):
			if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) <= jsontext.MaxDepth {
				t.Fatalf("%q: %v", data, err)
			}
		case errors.Is(err, jsontext.ErrTooManyTokens):
			if len(data) < jsontext.MaxTokens {
				t.Fatalf("%q: %v", data, err)
			}
		case !utf8.Valid(data), surrogateEsc.Match(data):
		case slices.ContainsFunc(numberToken.FindAllString(string(data), -1), func(n string) bool {
			_, err := strconv.ParseFloat(n, 64)
			return err != nil && strings.ContainsAny(n, ".eE")
		}):
		default:
			t.Fatalf("refused %q: %v", data, err)
		}

		compact, cerr := jsontext.Compact(data)
		if (cerr == nil) != (err == nil) && !errors.Is(err, jsontext.ErrTooManyTokens) {
			t.Fatalf("%q: Check %v, Compact %v", data, err, cerr)
		}
		if cerr == nil {
			if !isCompact(compact) {
				t.Fatalf("Compact(%q) = %q, which is not compact", data, compact)
			}
			if got, want := decodeAny(t, compact), decodeAny(t, data); !slices.Equal(got, want) {
				t.Fatalf("Compact(%q) = %q, another value", data, compact)
			}
		}
	})
}

// decodeAny gives JSON text a form that can be compared, by way of encoding/json.
func decodeAny(t *testing.T, text []byte) []byte {
	t.Helper()
	d := stdjson.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	b, err := stdjson.Marshal(v)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return b
}
