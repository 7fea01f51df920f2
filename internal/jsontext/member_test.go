package jsontext

import "testing"

func TestMember(t *testing.T) {
	for _, tt := range []struct {
		object, want string
		has          bool
	}{
		{`{}`, `{"since":"x"}`, false},
		{` { "b" : [ 1 ] , "a" : "<é>" } `, `{"a":"<é>","b":[1],"since":"x"}`, false},
		{`{"since":null,"z":1}`, `{"since":"x","z":1}`, true},
		{`{"since":1,"since":2}`, `{"since":"x"}`, true},
		{`{"s\u0069nce":1}`, `{"since":"x"}`, true},
	} {
		got, err := WithMember([]byte(tt.object), "since", []byte(`"x"`))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.object, got, err, tt.want)
		}
		if got := HasMember([]byte(tt.object), "since"); got != tt.has {
			t.Errorf("%s has one: %t", tt.object, got)
		}
	}
	for _, text := range []string{``, `[]`, `"since"`, `7`, `{`} {
		if got, err := WithMember([]byte(text), "since", []byte(`"x"`)); err == nil {
			t.Errorf("%q: %s", text, got)
		}
		if HasMember([]byte(text), "since") {
			t.Errorf("%q has one", text)
		}
	}
}
