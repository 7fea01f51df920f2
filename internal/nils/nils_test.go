package nils

import (
	"encoding/json"
	"testing"
)

type state struct{}

func TestNils(t *testing.T) {
	var (
		pointer *state
		list    []int
		object  map[string]int
		raw     json.RawMessage
		f       func()
		err     error
		inside  any = pointer
	)
	for _, tc := range []struct {
		name  string
		v     any
		isNil bool
		text  string
	}{
		{"nil", nil, true, "{}"},
		{"pointer", pointer, true, "{}"},
		{"pointer to a nil pointer", &pointer, false, "{}"},
		{"pointer to an interface with a nil pointer", &inside, false, "{}"},
		{"map", object, true, "{}"},
		{"pointer to a map", &object, false, "{}"},
		{"slice", list, true, "[]"},
		{"pointer to a slice", &list, false, "[]"},
		{"bytes", raw, true, "{}"},
		{"function", f, true, ""},
		{"error", err, true, "{}"},
		{"number", 0, false, ""},
		{"struct", state{}, false, ""},
		{"pointer to a struct", &state{}, false, ""},
		{"empty slice", []int{}, false, ""},
		{"empty map", map[string]int{}, false, ""},
	} {
		if got := Is(tc.v); got != tc.isNil {
			t.Errorf("Is of %s: %v", tc.name, got)
		}
		if got := JSON(tc.v); got != tc.text {
			t.Errorf("JSON of %s: %q, want %q", tc.name, got, tc.text)
		}
	}
}
