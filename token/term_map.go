package token

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// mapKey is a key in a form that sorts as Erlang sorts the keys of a map.
type mapKey struct {
	rank keyRank
	i    int64
	f    float64
	s    string
}

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

// mapping writes a map or struct with its keys in order.
func (e *encoder) mapping(v reflect.Value, depth int) error {
	if v.Kind() == reflect.Map && v.Len() > maxTerms/2 {
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

func pairsOf(v reflect.Value) ([]pair, error) {
	if v.Kind() == reflect.Map {
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
	fields, err := fieldsOf(v.Type())
	if err != nil {
		return nil, err
	}
	pairs := make([]pair, len(fields))
	for i, f := range fields {
		pairs[i] = pair{mapKey{rank: f.rank, s: f.name}, v.Field(f.index)}
	}
	return pairs, nil
}

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

// field is an exported field of a struct as the entry of a map.
type field struct {
	name  string
	rank  keyRank
	index int
}

// fieldsOf reads the tags of a struct. A struct that has fields, none of which
// can be seen, such as time.Time, is refused: it would be lost in silence.
func fieldsOf(t reflect.Type) ([]field, error) {
	fields := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("token")
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		rank := rankBinary
		switch option {
		case "":
		case "atom":
			rank = rankAtom
		default:
			return nil, fmt.Errorf("field %s.%s has the unknown tag option %q", t, f.Name, option)
		}
		fields = append(fields, field{name, rank, i})
	}
	if len(fields) == 0 && t.NumField() > 0 {
		return nil, fmt.Errorf("a %s has no exported fields to write into a token", t)
	}
	return fields, nil
}
