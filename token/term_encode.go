package token

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// encodeTerm returns v in Erlang's external format. The bytes are those that OTP writes, except for the
// order of the keys of a map. Here keys are always sorted; OTP has another order for maps of more
// than 32 keys and, since OTP 26, for atom keys.
func encodeTerm(v any, oldAtoms bool) ([]byte, error) {
	e := encoder{out: make([]byte, 1, 128), oldAtoms: oldAtoms}
	e.out[0] = tagVersion
	if err := e.value(reflect.ValueOf(v), 0); err != nil {
		return nil, err
	}
	if len(e.out) > maxInflated {
		return nil, errSize
	}
	return e.out, nil
}

// encoder appends terms to out.
type encoder struct {
	out      []byte
	terms    int
	oldAtoms bool
}

var (
	bigType   = reflect.TypeFor[*big.Int]()
	atomType  = reflect.TypeFor[Atom]()
	tupleType = reflect.TypeFor[Tuple]()
)

// count counts n more terms, before they are written.
func (e *encoder) count(n int) error {
	if e.terms += n; e.terms > maxTerms {
		return errTerms
	}
	if len(e.out) > maxInflated {
		return errSize
	}
	return nil
}

// value writes any Go value.
func (e *encoder) value(v reflect.Value, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	if err := e.count(1); err != nil {
		return err
	}
	for range maxDepth { // bounded, since a pointer may point to itself
		if v.Kind() != reflect.Interface && v.Kind() != reflect.Pointer || v.Type() == bigType {
			break
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return e.atom("nil")
	}
	switch v.Type() {
	case bigType:
		return e.bigInt(v.Interface().(*big.Int))
	case atomType:
		return e.atom(v.String())
	case tupleType:
		if v.Len() > 255 {
			return fmt.Errorf("tuple of %d elements, at most 255 are written", v.Len())
		}
		e.out = append(e.out, tagTuple, byte(v.Len()))
		return e.elements(v, depth)
	}
	switch v.Kind() {
	case reflect.Bool:
		return e.atom(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.integer(v.Int())
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() <= math.MaxInt64 {
			e.integer(int64(v.Uint()))
			return nil
		}
		return e.bigInt(new(big.Int).SetUint64(v.Uint()))
	case reflect.Float32, reflect.Float64:
		return e.float(v.Float())
	case reflect.String:
		return e.binary(v.Len(), func() { e.out = append(e.out, v.String()...) })
	case reflect.Slice, reflect.Array:
		return e.list(v, depth)
	case reflect.Map:
		return e.mapping(v, depth)
	}
	return fmt.Errorf("a %s cannot be written into a token; use a Map for a struct", v.Type())
}

// binary writes a binary of n bytes, which write appends.
func (e *encoder) binary(n int, write func()) error {
	if n > maxInflated {
		return errSize
	}
	e.out = append(e.out, tagBinary)
	e.out = binary.BigEndian.AppendUint32(e.out, uint32(n))
	write()
	return nil
}

// float writes a float of 8 bytes.
func (e *encoder) float(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errFinite
	}
	e.out = append(e.out, tagFloat)
	e.out = binary.BigEndian.AppendUint64(e.out, math.Float64bits(f))
	return nil
}

// integer writes an integer in the shortest form.
func (e *encoder) integer(i int64) {
	switch {
	case i >= 0 && i <= 255:
		e.out = append(e.out, tagSmallInt, byte(i))
	case i >= math.MinInt32 && i <= math.MaxInt32:
		e.out = append(e.out, tagInt)
		e.out = binary.BigEndian.AppendUint32(e.out, uint32(int32(i)))
	default:
		// The magnitude of the least int64 fits only into a uint64.
		sign, magnitude := byte(0), uint64(i)
		if i < 0 {
			sign, magnitude = 1, -magnitude
		}
		e.out = append(e.out, tagSmallBig, 0, sign)
		at := len(e.out)
		for ; magnitude > 0; magnitude >>= 8 {
			e.out = append(e.out, byte(magnitude))
		}
		e.out[at-2] = byte(len(e.out) - at)
	}
}

// bigInt writes an integer of any size up to maxInteger. Its bytes go from the lowest to the highest.
func (e *encoder) bigInt(i *big.Int) error {
	switch {
	case i == nil:
		return e.atom("nil")
	case i.IsInt64():
		e.integer(i.Int64())
		return nil
	}
	magnitude := i.Bytes()
	slices.Reverse(magnitude)
	switch n := len(magnitude); {
	case n > maxInteger:
		return errors.New("integer has more than 1024 bytes")
	case n > 255:
		e.out = append(e.out, tagLargeBig)
		e.out = binary.BigEndian.AppendUint32(e.out, uint32(n))
	default:
		e.out = append(e.out, tagSmallBig, byte(n))
	}
	sign := byte(0)
	if i.Sign() < 0 {
		sign = 1
	}
	e.out = append(append(e.out, sign), magnitude...)
	return nil
}

// atom writes an atom in UTF-8, or with oldAtoms in Latin-1 if its name allows.
func (e *encoder) atom(name string) error {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxAtom {
		return errAtom
	}
	if e.oldAtoms {
		// Up to OTP 25, names in Latin-1 are not written as UTF-8.
		if latin1, ok := toLatin1(name); ok {
			e.out = append(e.out, tagAtomLatin1)
			e.out = binary.BigEndian.AppendUint16(e.out, uint16(len(latin1)))
			e.out = append(e.out, latin1...)
			return nil
		}
	}
	if len(name) > 255 {
		e.out = append(e.out, tagAtomUTF8)
		e.out = binary.BigEndian.AppendUint16(e.out, uint16(len(name)))
	} else {
		e.out = append(e.out, tagSmallUTF8, byte(len(name)))
	}
	e.out = append(e.out, name...)
	return nil
}

// toLatin1 converts UTF-8 to Latin-1, or returns false for a name with other characters.
func toLatin1(s string) ([]byte, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, true
}

// list writes slices and arrays: of bytes as a binary, and others as a list.
func (e *encoder) list(v reflect.Value, depth int) error {
	n := v.Len()
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return e.binary(n, func() {
			for i := range n {
				e.out = append(e.out, byte(v.Index(i).Uint()))
			}
		})
	}
	if n > maxTerms {
		return errTerms
	}
	if n == 0 {
		e.out = append(e.out, tagNil)
		return nil
	}
	if b, ok := allBytes(v); ok {
		if err := e.count(n); err != nil {
			return err
		}
		e.out = append(e.out, tagString)
		e.out = binary.BigEndian.AppendUint16(e.out, uint16(n))
		e.out = append(e.out, b...)
		return nil
	}
	e.out = append(e.out, tagList)
	e.out = binary.BigEndian.AppendUint32(e.out, uint32(n))
	if err := e.elements(v, depth); err != nil {
		return err
	}
	e.out = append(e.out, tagNil)
	return nil
}

// allBytes reports whether all elements are integers from 0 to 255, and returns them. Erlang
// writes such lists in a short form.
func allBytes(v reflect.Value) ([]byte, bool) {
	b := make([]byte, 0, v.Len())
	for i := range v.Len() {
		x := v.Index(i)
		for x.Kind() == reflect.Interface {
			x = x.Elem()
		}
		switch {
		case x.CanInt() && x.Int() >= 0 && x.Int() <= 255:
			b = append(b, byte(x.Int()))
		case x.CanUint() && x.Uint() <= 255:
			b = append(b, byte(x.Uint()))
		default:
			return nil, false
		}
	}
	return b, true
}

// elements writes the elements of a slice or array.
func (e *encoder) elements(v reflect.Value, depth int) error {
	for i := range v.Len() {
		if err := e.value(v.Index(i), depth+1); err != nil {
			return err
		}
	}
	return nil
}
