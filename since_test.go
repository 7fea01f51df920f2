package bennu_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
)

func TestSinceOf(t *testing.T) {
	for _, tc := range []struct {
		payload, kind, at string
		inPayload         bool
	}{
		{payload: ``, kind: "none"},
		{payload: `null`, kind: "none"},
		{payload: `[{"since":null}]`, kind: "none"},
		{payload: `"since"`, kind: "none"},
		{payload: `{}`, kind: "none"},
		{payload: ` { } `, kind: "none"},
		{payload: `{"since":null}`, kind: "new"},
		{payload: `{"since":""}`, kind: "new"},
		{payload: ` { "since" : null } `, kind: "new"},
		{payload: `{"a":{"since":null},"b":[{"since":""}]}`, kind: "none"},
		{payload: `{"a":{"since":1},"since":null,"z":"}"}`, kind: "new"},
		{payload: `{"since":4}`, kind: "none"},
		{payload: `{"since":true}`, kind: "none"},
		{payload: `{"since":{}}`, kind: "none"},
		{payload: `{"since":["e7k2mxx4:1"]}`, kind: "none"},
		{payload: `{"since":"e7k2mxx4:88120"}`, kind: "at", at: "e7k2mxx4:88120"},
		{payload: `{"since":"e7k2mxx4:18446744073709551615"}`, kind: "at", at: "e7k2mxx4:18446744073709551615"},
		{payload: `{"since":"e7k2mxx4:18446744073709551616"}`, kind: "invalid"},
		{payload: `{"since":"e7k2mxx4:"}`, kind: "invalid"},
		{payload: `{"since":"e7k2mxx4:-1"}`, kind: "invalid"},
		{payload: `{"since":"e7k2mxx4:+1"}`, kind: "invalid"},
		{payload: `{"since":"E7K2MXX4:1"}`, kind: "invalid"},
		{payload: `{"since":"4"}`, kind: "invalid"},
		{payload: `{"since":"` + strings.Repeat("a", 100_000) + `"}`, kind: "invalid"},
		{payload: `{"s\u0069nce":"e7k2mxx4\u003a1"}`, kind: "at", at: "e7k2mxx4:1"},
		{payload: `{"since":null,"since":"e7k2mxx4:1"}`, kind: "at", at: "e7k2mxx4:1"},
		{payload: `{"since":"e7k2mxx4:1","since":5}`, kind: "none"},
		{payload: `{"since":null,"offsets":"payload"}`, kind: "new", inPayload: true},
		{payload: `{"offsets":"ref","since":null}`, kind: "new"},
	} {
		kind, at, inPayload := bennu.SinceOf(bennu.Payload{Data: []byte(tc.payload)}, "since")
		if kind != tc.kind || at != tc.at || inPayload != tc.inPayload {
			t.Errorf("%.80s: %s %q %v, want %s %q %v", tc.payload, kind, at, inPayload, tc.kind, tc.at, tc.inPayload)
		}
	}
	if kind, _, _ := bennu.SinceOf(bennu.Payload{Data: []byte(`{"since":null}`), Binary: true}, "since"); kind != "none" {
		t.Errorf("bytes: %s", kind)
	}
	if kind, _, _ := bennu.SinceOf(bennu.Payload{Data: []byte(`{"from":null,"since":4}`)}, "from"); kind != "new" {
		t.Errorf("another name: %s", kind)
	}
}

func TestSinceAllocations(t *testing.T) {
	p := bennu.Payload{Data: []byte(`{"user":"ada","list":[1,2,{"a":"b"}],"text":"` + strings.Repeat("word ", 100) + `"}`)}
	if n := testing.AllocsPerRun(100, func() { bennu.SinceOf(p, "since") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSince compares with encoding/json.
func FuzzSince(f *testing.F) {
	for _, s := range []string{`{"since":null}`, `{"since":"e7k2mxx4:1","offsets":"payload"}`, `{"a":{},"s\u0069nce":"x"}`, `{"since":{"a":[]},"b":1}`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, at, _ := bennu.SinceOf(bennu.Payload{Data: data}, "since")
		if !json.Valid(data) || !utf8.Valid(data) {
			return // it must not panic, and serializers let nothing else through
		}
		var object map[string]json.RawMessage
		want, wantAt := "none", ""
		if json.Unmarshal(data, &object) == nil {
			want, wantAt = wantedSince(object["since"])
		}
		if kind != want || at != wantAt {
			t.Errorf("%q: %s %q, want %s %q", data, kind, at, want, wantAt)
		}
	})
}

// wantedSince is what a value of the member means.
func wantedSince(value json.RawMessage) (kind, at string) {
	if len(value) == 0 {
		return "none", ""
	}
	var text *string
	if json.Unmarshal(value, &text) != nil {
		return "none", ""
	}
	if text == nil || *text == "" {
		return "new", ""
	}
	o, err := history.ParseOffset(*text)
	if err != nil {
		return "invalid", ""
	}
	return "at", o.String()
}
