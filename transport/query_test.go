package transport

import (
	"errors"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseQuery(t *testing.T) {
	tests := []struct {
		raw  string
		want Params
	}{
		{"", Params{}},
		{"a=1", Params{"a": "1"}},
		{"a=1&b=2", Params{"a": "1", "b": "2"}},
		{"e", Params{"e": ""}},
		{"e=", Params{"e": ""}},
		{"a=b=c", Params{"a": "b=c"}},
		{"=v", Params{"": "v"}},
		{"a.b=1", Params{"a.b": "1"}},
		{"a=1;b=2", Params{"a": "1;b=2"}},

		// Empty pairs.
		{"&", Params{}},
		{"&&a=1&&&b=2&", Params{"a": "1", "b": "2"}},

		// Escapes.
		{"a=x+y%20z", Params{"a": "x y z"}},
		{"a+b=1", Params{"a b": "1"}},
		{"a=%2B%26%3d%25", Params{"a": "+&=%"}},
		{"a=%zz", Params{"a": "%zz"}},
		{"a=%", Params{"a": "%"}},
		{"a=%4", Params{"a": "%4"}},
		{"a=%%41", Params{"a": "%A"}},
		{"a=%4g%g4%4G", Params{"a": "%4g%g4%4G"}},
		{"a=%C3%b6", Params{"a": "ö"}},
		{"%61=%00", Params{"a": "\x00"}},

		// Nesting.
		{"a[b]=1", Params{"a": Params{"b": "1"}}},
		{"a%5Bb%5D=1", Params{"a": Params{"b": "1"}}},
		{"a[b]=1&a[c]=2", Params{"a": Params{"b": "1", "c": "2"}}},
		{"a[b][c]=1&a[b][d]=2", Params{"a": Params{"b": Params{"c": "1", "d": "2"}}}},
		{"a[b.c]=1", Params{"a": Params{"b.c": "1"}}},
		{"a[b+c]=1", Params{"a": Params{"b c": "1"}}},
		{"a[b]", Params{"a": Params{"b": ""}}},
		{"d[0]=x", Params{"d": Params{"0": "x"}}},
		{"d[0]=x&d[1]=y", Params{"d": Params{"0": "x", "1": "y"}}},
		{"c[]=2&c[]=3", Params{"c": []any{"2", "3"}}},
		{"c[]", Params{"c": []any{""}}},
		{"a[b][]=1&a[b][]=2", Params{"a": Params{"b": []any{"1", "2"}}}},
		{"a[][b]=1&a[][c]=2", Params{"a": []any{Params{"b": "1"}, Params{"c": "2"}}}},
		{"a[][]=1", Params{"a": []any{[]any{"1"}}}},

		// The later value wins, whatever the kinds.
		{"a=1&a=2", Params{"a": "2"}},
		{"a[b]=1&a=2", Params{"a": "2"}},
		{"a[]=1&a=2", Params{"a": "2"}},
		{"a=1&a[b]=2", Params{"a": Params{"b": "2"}}},
		{"a=1&a[]=2", Params{"a": []any{"2"}}},
		{"a[]=1&a[b]=2", Params{"a": Params{"b": "2"}}},
		{"a[b]=1&a[]=2", Params{"a": []any{"2"}}},
		{"a[b]=1&a[b]=2", Params{"a": Params{"b": "2"}}},
		{"a[b]=1&a[b][c]=2", Params{"a": Params{"b": Params{"c": "2"}}}},

		// Brackets that do not pair up.
		{"a[b=1", Params{"a[b": "1"}},
		{"a[=1", Params{"a[": "1"}},
		{"a]=1", Params{"a]": "1"}},
		{"a]b[c]=1", Params{"a]b[c]": "1"}},
		{"a[b]c=1", Params{"a[b]c": "1"}},
		{"a[b]c[d]=1", Params{"a[b]c[d]": "1"}},
		{"a[b][c=1", Params{"a[b][c": "1"}},
		{"a[b]]=1", Params{"a[b]]": "1"}},
		{"a[[b]]=1", Params{"a[[b]]": "1"}},
		{"[a]=1", Params{"[a]": "1"}},
		{"[]=1", Params{"[]": "1"}},
	}
	for _, tt := range tests {
		got, err := parseQuery(tt.raw)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("parseQuery(%q) = %v, %v, want %v", tt.raw, got, err, tt.want)
		}
	}
}

func TestParseQueryRefuses(t *testing.T) {
	tests := []struct {
		name, raw string
		want      error
	}{
		{"longest", "a=" + strings.Repeat("x", maxURL-2), nil},
		{"too long", "a=" + strings.Repeat("x", maxURL-1), errQueryTooLong},
		{"most pairs", strings.Repeat("a=1&&", maxParams), nil},
		{"too many pairs", strings.Repeat("a=1&", maxParams+1), errTooManyParams},
		{"too many keys without value", strings.Repeat("a&", maxParams+1), errTooManyParams},
		{"deepest", "a" + strings.Repeat("[b]", maxParamDepth), nil},
		{"too deep", "a" + strings.Repeat("[b]", maxParamDepth+1), errParamsTooDeep},
		{"lists too deep", "a" + strings.Repeat("%5B%5D", maxParamDepth+1), errParamsTooDeep},
		{"deep but unclosed", "a" + strings.Repeat("[", 4000), nil},
		{"value not UTF-8", "x=%ff", errQueryNotUTF8},
		{"value raw not UTF-8", "x=\xff", errQueryNotUTF8},
		{"value surrogate", "x=%ED%A0%80", errQueryNotUTF8},
		{"value cut", "x=%C3", errQueryNotUTF8},
		{"key not UTF-8", "%ff=x", errQueryNotUTF8},
		{"nested key not UTF-8", "a[%ff]=x", errQueryNotUTF8},
		{"bare key not UTF-8", "%ff", errQueryNotUTF8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			params, err := parseQuery(tt.raw)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error = %v, want %v", err, tt.want)
			}
			if (params == nil) != (tt.want != nil) {
				t.Errorf("params = %v", params)
			}
		})
	}
}

func TestParamsString(t *testing.T) {
	p, err := parseQuery("s=1&empty&l[]=1&m[a]=1")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		key, want string
		ok        bool
	}{{"s", "1", true}, {"empty", "", true}, {"l", "", false}, {"m", "", false}, {"none", "", false}}
	for _, tt := range tests {
		if got, ok := p.String(tt.key); got != tt.want || ok != tt.ok {
			t.Errorf("String(%q) = %q, %v, want %q, %v", tt.key, got, ok, tt.want, tt.ok)
		}
	}
	if _, ok := Params(nil).String("s"); ok {
		t.Error("nil Params have a value")
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a[b]=1&c[]=2&c[]=3&d[0]=x", "e&%zz=%&&+=%20", "a[][]=1&a[b", "x=%ff", "a%5B%5D"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		params, err := parseQuery(raw)
		if err != nil {
			if params != nil {
				t.Error("parameters beside an error")
			}
			return
		}
		if n := checkParams(t, params, 0); n > maxParams {
			t.Errorf("%d strings of at most %d pairs", n, maxParams)
		}
		// Where keys do not nest and every escape is one, net/url is the oracle.
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		for key, list := range values {
			if strings.ContainsAny(key, "[]") {
				continue
			}
			got, _ := params.String(key)
			if _, nested := params[key].(string); nested && got != list[len(list)-1] {
				t.Errorf("%q = %q, want %q", key, got, list[len(list)-1])
			}
		}
	})
}

// checkParams returns the number of strings in v.
func checkParams(t *testing.T, v any, depth int) (n int) {
	if depth > maxParamDepth+1 {
		t.Fatalf("depth %d", depth)
	}
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			t.Errorf("value %q is not UTF-8", v)
		}
		return 1
	case []any:
		if len(v) == 0 {
			t.Error("empty list")
		}
		for _, e := range v {
			n += checkParams(t, e, depth+1)
		}
	case Params:
		if len(v) == 0 && depth > 0 {
			t.Error("empty map")
		}
		for key, e := range v {
			if !utf8.ValidString(key) {
				t.Errorf("key %q is not UTF-8", key)
			}
			n += checkParams(t, e, depth+1)
		}
	default:
		t.Errorf("value of type %T", v)
	}
	return n
}

// TestValuesKeepLittle has an application keep values of long queries and of long paths.
func TestValuesKeepLittle(t *testing.T) {
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	base := heap()
	var kept []any
	for range 200 {
		text := "ab/room=cd&rest=" + strings.Repeat("x", 8000)
		params, err := mergeParams(text[3:], map[string]string{"tenant": text[:2]})
		if err != nil || params["tenant"] != "ab" || params["room"] != "cd" {
			t.Fatal(params["tenant"], params["room"], err)
		}
		kept = append(kept, params["tenant"], params["room"])
	}
	if got := heap() - base; got > 400<<10 {
		t.Errorf("%d values of two bytes hold %d KiB", len(kept), got>>10)
	}
	runtime.KeepAlive(kept)
}
