package token

import (
	"cmp"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// mapKey is the key of a map, in a form that sorts as in Erlang: by rank, then by value.
type mapKey struct {
	rank keyRank
	i    int64
	f    float64
	s    string
}

// keyRank is the order of the types of keys. nil and bool are atoms.
type keyRank int

const (
	rankInteger keyRank = iota
	rankFloat
	rankAtom
	rankBinary
)

func compareKeys(a, b mapKey) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.i, b.i), cmp.Compare(a.f, b.f), strings.Compare(a.s, b.s))
}

type pair struct {
	key   mapKey
	value reflect.Value
}

// mapping writes a map with its keys in order.
func (e *encoder) mapping(v reflect.Value, depth int) error {
	if v.Len() > maxTerms/2 {
		return errTerms
	}
	pairs, err := pairsOf(v)
	if err != nil {
		return err
	}
	slices.SortFunc(pairs, func(a, b pair) int { return compareKeys(a.key, b.key) })
	e.out = append(e.out, tagMap)
	e.out = binary.BigEndian.AppendUint32(e.out, uint32(len(pairs)))
	for i, p := range pairs {
		if i > 0 && compareKeys(pairs[i-1].key, p.key) == 0 {
			return errTwice
		}
		if err := e.key(p.key); err != nil {
			return err
		}
		if err := e.value(p.value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) key(k mapKey) error {
	if err := e.count(1); err != nil {
		return err
	}
	switch k.rank {
	case rankInteger:
		e.integer(k.i)
	case rankFloat:
		return e.float(k.f)
	case rankAtom:
		return e.atom(k.s)
	case rankBinary:
		return e.binary(len(k.s), func() { e.out = append(e.out, k.s...) })
	}
	return nil
}

// pairsOf returns the entries of a map.
func pairsOf(v reflect.Value) ([]pair, error) {
	pairs := make([]pair, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		key, err := keyOf(it.Key())
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{key, it.Value()})
	}
	return pairs, nil
}

// keyOf converts a key, or returns errKey for one of a type that cannot be written.
func keyOf(v reflect.Value) (mapKey, error) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		return mapKey{rank: rankAtom, s: "nil"}, nil
	case v.Type() == atomType:
		return mapKey{rank: rankAtom, s: v.String()}, nil
	case v.Kind() == reflect.String:
		return mapKey{rank: rankBinary, s: v.String()}, nil
	case v.Kind() == reflect.Bool:
		return mapKey{rank: rankAtom, s: strconv.FormatBool(v.Bool())}, nil
	case v.CanInt():
		return mapKey{i: v.Int()}, nil
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		return mapKey{i: int64(v.Uint())}, nil
	case v.CanFloat():
		return mapKey{rank: rankFloat, f: v.Float()}, nil
	}
	return mapKey{}, errKey
}
