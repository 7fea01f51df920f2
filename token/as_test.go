package token

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// through signs data, and reads it back as a T.
func through[T any](t *testing.T, data any) (any, error) {
	t.Helper()
	k := newKeys(t, nil)
	tok, err := k.Sign(testSalt, data)
	if err != nil {
		t.Fatal(err)
	}
	return As[T](k.Verify(testSalt, tok))
}

func TestAs(t *testing.T) {
	for _, tt := range []struct {
		as   func(*testing.T, any) (any, error)
		data any
		want any // nil for an error
	}{
		{through[string], "nut", "nut"},
		{through[string], Atom("admin"), nil},
		{through[string], nil, nil},
		{through[Atom], Atom("admin"), Atom("admin")},
		{through[bool], true, true},
		{through[int64], uint8(42), int64(42)},
		{through[int], 42, nil},
		{through[int64], uint64(1) << 63, nil},
		{through[float64], 1.5, 1.5},
		{through[any], 42, int64(42)},
		{through[Map], map[string]int{"a": 1}, Map{"a": int64(1)}},
		{through[[]any], []int{1, 2, 300}, []any{int64(1), int64(2), int64(300)}},
		{through[Tuple], Tuple{1, "a"}, Tuple{int64(1), "a"}},
		{through[Tuple], []any{1, "a"}, nil},
		{through[fmt.Stringer], "x", nil},
	} {
		got, err := tt.as(t, tt.data)
		switch {
		case tt.want == nil:
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%#v gives %#v, %v, want an error", tt.data, got, err)
			}
		case err != nil:
			t.Errorf("%#v: %v", tt.data, err)
		case !reflect.DeepEqual(got, tt.want):
			t.Errorf("%#v gives %#v, want %#v", tt.data, got, tt.want)
		}
	}
}

// TestAsNil reads nil, which As returns only as an any.
func TestAsNil(t *testing.T) {
	if got, err := through[any](t, nil); got != nil || err != nil {
		t.Errorf("as any: %#v, %v", got, err)
	}
	if _, err := through[fmt.Stringer](t, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("as a Stringer: %v", err)
	}
}

func TestAsPassesErrors(t *testing.T) {
	k := newKeys(t, nil)
	if _, err := As[int64](k.Verify(testSalt, "")); err != ErrMissing {
		t.Error(err)
	}
	if _, err := As[int64](nil, nil); err != ErrMissing {
		t.Error(err)
	}
}

func TestAsNamesTypes(t *testing.T) {
	_, err := As[int64](&Claims{Data: "canary"}, nil)
	if err == nil || err.Error() != "token: invalid: the data is of type string, not int64" {
		t.Error(err)
	}
	if strings.Contains(fmt.Sprintf("%+v", err), "canary") {
		t.Error("the error quotes the data")
	}
}
