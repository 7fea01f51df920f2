package token

import (
	"encoding/hex"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// power returns 2 to the n, with the sign of sign.
func power(n uint, sign int64) *big.Int { return new(big.Int).Lsh(big.NewInt(sign), n) }

// TestTermVectors has terms that Erlang/OTP 25 wrote. They are read as want, and value is written as
// the same bytes.
func TestTermVectors(t *testing.T) {
	zeros := strings.Repeat("00", 254)
	for _, tt := range []struct {
		hex         string
		value, want any
	}{
		{"836100", 0, int64(0)},
		{"8361ff", uint8(255), int64(255)},
		{"836200000100", 256, int64(256)},
		{"8362ffffffff", -1, int64(-1)},
		{"8362ffffff80", int8(-128), int64(-128)},
		{"836208000000", 1 << 27, int64(1 << 27)},
		{"83627fffffff", math.MaxInt32, int64(math.MaxInt32)},
		{"836280000000", math.MinInt32, int64(math.MinInt32)},
		{"836e040000000080", uint32(1 << 31), int64(1 << 31)},
		{"836e040101000080", int64(math.MinInt32 - 1), int64(math.MinInt32 - 1)},
		{"836e0800ffffffffffffff7f", int64(math.MaxInt64), int64(math.MaxInt64)},
		{"836e08010000000000000080", int64(math.MinInt64), int64(math.MinInt64)},
		{"836e08000000000000000080", uint64(1 << 63), power(63, 1)},
		{"836e08010100000000000080", new(big.Int).Sub(power(63, -1), big.NewInt(1)), new(big.Int).Sub(power(63, -1), big.NewInt(1))},
		{"836f0000010000" + zeros + "0001", power(2040, 1), power(2040, 1)},
		{"836eff01" + zeros + "80", power(2039, -1), power(2039, -1)},
		{"83463ff8000000000000", 1.5, 1.5},
		{"83463ff8000000000000", float32(1.5), 1.5},
		{"83467e37e43c8800759c", 1e300, 1e300},
		{"83468000000000000000", math.Copysign(0, -1), math.Copysign(0, -1)},
		{"8364000474727565", true, true},
		{"8364000566616c7365", false, false},
		{"836400036e696c", nil, nil},
		{"836400036e696c", (*int)(nil), nil},
		{"836400036e696c", (*big.Int)(nil), nil},
		{"8364000561646d696e", Atom("admin"), Atom("admin")},
		{"83640001e9", Atom("é"), Atom("é")},
		{"837702cf80", Atom("π"), Atom("π")},
		{"83760190" + strings.Repeat("cf80", 200), Atom(strings.Repeat("π", 200)), Atom(strings.Repeat("π", 200))},
		{"836d00000006757365722d31", "user-1", "user-1"},
		{"836d00000006757365722d31", []byte("user-1"), "user-1"},
		{"836d00000006757365722d31", [6]byte{'u', 's', 'e', 'r', '-', '1'}, "user-1"},
		{"836d00000000", "", ""},
		{"836d00000000", []byte(nil), ""},
		{"836a", []int{}, []any{}},
		{"836a", []string(nil), []any{}},
		{"836b0003010203", []int{1, 2, 3}, []any{int64(1), int64(2), int64(3)}},
		{"836b0003010203", []any{1, uint8(2), int64(3)}, []any{int64(1), int64(2), int64(3)}},
		{"836b012c" + strings.Repeat("07", 300), slices.Repeat([]int{7}, 300), slices.Repeat([]any{int64(7)}, 300)},
		{"836c00000002610162000001006a", []int{1, 256}, []any{int64(1), int64(256)}},
		{"836c00000002640001616d00000001626a", []any{Atom("a"), "b"}, []any{Atom("a"), "b"}},
		{"836c000000016a6a", [][]int{{}}, []any{[]any{}}},
		{"836c00000002463ff000000000000061016a", []any{1.0, 1}, []any{1.0, int64(1)}},
		{"836800", Tuple{}, Tuple{}},
		{"8368026400026f6b6101", Tuple{Atom("ok"), 1}, Tuple{Atom("ok"), int64(1)}},
		{"837400000000", map[string]int(nil), Map{}},
		{"83740000000f62fffffffb610561016101610a6108463ff0000000000000610b464004000000000000610264000142610d6400016161036400016261066400036e696c610c64000474727565610a6400017a610f640001e9610e6d000000014261076d000000016161046d0000000261616109",
			map[any]any{1: 1, 2.5: 2, Atom("a"): 3, "a": 4, -5: 5, Atom("b"): 6, "B": 7, uint8(10): 8, "aa": 9, true: 10, float32(1.0): 11,
				nil: 12, Atom("B"): 13, Atom("é"): 14, Atom("z"): 15},
			Map{int64(1): int64(1), 2.5: int64(2), Atom("a"): int64(3), "a": int64(4), int64(-5): int64(5), Atom("b"): int64(6), "B": int64(7),
				int64(10): int64(8), "aa": int64(9), true: int64(10), 1.0: int64(11), nil: int64(12), Atom("B"): int64(13), Atom("é"): int64(14), Atom("z"): int64(15)}},
	} {
		got, err := encodeTerm(tt.value, true)
		if err != nil || hex.EncodeToString(got) != tt.hex {
			t.Errorf("%v is written as %x, %v, want %s", tt.value, got, err, tt.hex)
		}
		back, err := decodeTerm(unhex(t, tt.hex))
		if err != nil || !reflect.DeepEqual(back, tt.want) {
			t.Errorf("%s is read as %#v, %v, want %#v", tt.hex, back, err, tt.want)
		}
		// With new atoms it reads the same.
		if got, err = encodeTerm(tt.value, false); err != nil {
			t.Errorf("%v: %v", tt.value, err)
		}
		if back, err = decodeTerm(got); err != nil || !reflect.DeepEqual(back, tt.want) {
			t.Errorf("%x is read as %#v, %v, want %#v", got, back, err, tt.want)
		}
	}
}

func TestAtomForms(t *testing.T) {
	for _, tt := range []struct{ hex, want string }{
		{"83640002e9e8", "éè"},
		{"837302e9e8", "éè"},
		{"83760004c3a9c3a8", "éè"},
		{"837704c3a9c3a8", "éè"},
		{"836400ff" + strings.Repeat("e9", 255), strings.Repeat("é", 255)},
		{"83760" + "3fc" + strings.Repeat("f09f98ba", 255), strings.Repeat("😺", 255)},
		{"837700", ""},
	} {
		if got, err := decodeTerm(unhex(t, tt.hex)); err != nil || got != Atom(tt.want) {
			t.Errorf("%s is %v, %v", tt.hex, got, err)
		}
	}
	for _, form := range []string{"8364000474727565", "83730474727565", "8376000474727565", "83770474727565"} {
		if got, err := decodeTerm(unhex(t, form)); err != nil || got != true {
			t.Errorf("%s is %v, %v", form, got, err)
		}
	}
	if got, err := encodeTerm(Atom("é"), false); err != nil || hex.EncodeToString(got) != "837702c3a9" {
		t.Errorf("%x, %v", got, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	type word string
	type loop *loop
	var l loop
	l = &l
	self := []any{nil}
	self[0] = self
	twice := []any{nil, nil}
	twice[0], twice[1] = twice, twice
	many := map[int]int{}
	for i := range 5000 {
		many[i] = i
	}
	for name, v := range map[string]any{
		"channel":             make(chan int),
		"function":            func() {},
		"complex":             1i,
		"NaN":                 math.NaN(),
		"infinity":            math.Inf(-1),
		"struct":              struct{ A int }{1},
		"big.Int by value":    *big.NewInt(1),
		"integer, 1025 bytes": power(8*1024, 1),
		"tuple of 256":        make(Tuple, 256),
		"list of 10,000":      make([]any, 10_000),
		"bytes list, 10,000":  make([]int, 10_000),
		"map of 5,000":        many,
		"key twice":           map[any]int{"a": 1, word("a"): 2},
		"key true twice":      map[any]int{true: 1, Atom("true"): 2},
		"integer key twice":   map[any]int{1: 1, int8(1): 2},
		"key NaN":             map[float64]int{math.NaN(): 1},
		"key struct":          map[struct{}]int{{}: 1},
		"key uint64":          map[uint64]int{1 << 63: 1},
		"pointer to itself":   l,
		"slice of itself":     self,
		"slice of itself, 2":  twice,
		"atom of 256":         Atom(strings.Repeat("a", 256)),
		"atom not UTF-8":      Atom("\xff"),
		"atom key too long":   map[Atom]int{Atom(strings.Repeat("a", 256)): 1},
		"long string":         strings.Repeat("a", maxInflated+1),
		"long strings":        []string{strings.Repeat("a", maxInflated), "a", "a"},
		"long keys":           map[string]int{strings.Repeat("a", maxInflated): 1, strings.Repeat("b", maxInflated): 2},
	} {
		if b, err := encodeTerm(v, false); err == nil {
			t.Errorf("%s is written as %.40x", name, b)
		}
	}
}
