package token

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

type user struct {
	ID     int64  `token:"id"`
	Name   string `token:"name,atom"`
	Roles  []Atom
	Parent *user          `token:"parent"`
	Seen   map[string]int `token:"seen"`
	Secret string         `token:"-"`
	hidden int
}

// through signs data and reads it back as a T.
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
	type word string
	huge := new(big.Int).Lsh(big.NewInt(1), 80)
	for _, tt := range []struct {
		as   func(*testing.T, any) (any, error)
		data any
		want any // nil for an error
	}{
		{through[string], "nut", "nut"},
		{through[string], Atom("admin"), "admin"},
		{through[string], 1, nil},
		{through[string], nil, nil},
		{through[word], "nut", word("nut")},
		{through[Atom], Atom("admin"), Atom("admin")},
		{through[Atom], "admin", nil},
		{through[[]byte], "nut", []byte("nut")},
		{through[[]byte], []int{1, 2}, nil},
		{through[bool], true, true},
		{through[bool], "true", nil},
		{through[int], 42, 42},
		{through[int8], 127, int8(127)},
		{through[int8], 128, nil},
		{through[int], 1.0, nil},
		{through[uint], 42, uint(42)},
		{through[uint], -1, nil},
		{through[uint8], 256, nil},
		{through[uint64], uint64(1) << 63, uint64(1) << 63},
		{through[int64], uint64(1) << 63, nil},
		{through[uint64], huge, nil},
		{through[*big.Int], huge, huge},
		{through[*big.Int], 5, big.NewInt(5)},
		{through[*big.Int], "5", nil},
		{through[float64], 1.5, 1.5},
		{through[float64], 3, 3.0},
		{through[float64], int64(1)<<53 + 1, nil},
		{through[float32], 1.5, float32(1.5)},
		{through[float32], 1e300, nil},
		{through[any], 42, int64(42)},
		{through[any], map[string]int{"a": 1}, Map{"a": int64(1)}},
		{through[Map], map[Atom]int{"a": 1}, Map{Atom("a"): int64(1)}},
		{through[map[string]int], map[any]any{"a": 1, Atom("b"): 2}, map[string]int{"a": 1, "b": 2}},
		{through[map[string]int], map[any]any{"a": 1, Atom("a"): 2}, nil},
		{through[map[Atom]int], map[string]int{"a": 1}, nil},
		{through[map[int]string], map[int]string{1: "a"}, map[int]string{1: "a"}},
		{through[map[string]string], map[string]int{"a": 1}, nil},
		{through[[]int], []int{1, 2, 300}, []int{1, 2, 300}},
		{through[[]int], Tuple{1, 2}, []int{1, 2}},
		{through[[]int], []any{1, "x"}, nil},
		{through[[]int], []int(nil), []int{}},
		{through[Tuple], Tuple{1, "a"}, Tuple{int64(1), "a"}},
		{through[Tuple], []any{1, "a"}, nil},
		{through[*int], 1, new(1)},
		{through[*int], nil, (*int)(nil)},
		{through[*int], "x", nil},
		{through[[]int], nil, []int(nil)},
		{through[user], user{ID: 1, Name: "Nut", Roles: []Atom{"admin"}, Parent: &user{ID: 2}, Secret: "x", hidden: 1},
			user{ID: 1, Name: "Nut", Roles: []Atom{"admin"}, Parent: &user{ID: 2, Roles: []Atom{}, Seen: map[string]int{}}, Seen: map[string]int{}}},
		{through[user], map[string]any{"id": 1, "name": "Nut", "more": true}, user{ID: 1, Name: "Nut"}},
		{through[user], map[Atom]any{"id": 1, "name": "Nut"}, user{ID: 1, Name: "Nut"}},
		{through[user], map[Atom]any{"id": "1"}, nil},
		{through[user], []any{}, nil},
		{through[chan int], 1, nil},
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

func TestAsPassesErrors(t *testing.T) {
	k := newKeys(t, nil)
	if _, err := As[int](k.Verify(testSalt, "")); err != ErrMissing {
		t.Error(err)
	}
	if _, err := As[int](nil, nil); err != ErrMissing {
		t.Error(err)
	}
}

func TestAsSaysWhere(t *testing.T) {
	type page struct {
		Users []user `token:"users"`
	}
	_, err := As[page](&Claims{Data: Map{"users": []any{Map{"id": int64(1)}, Map{"id": "canary"}}}}, nil)
	want := "bennu: token invalid: data.Users[1].ID is a string and does not fit into a int64"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if strings.Contains(fmt.Sprintf("%+v", err), "canary") {
		t.Error("the error quotes the data")
	}
}
