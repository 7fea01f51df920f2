package token

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"unicode/utf8"
)

var (
	errCut      = errors.New("term is cut short")
	errRest     = errors.New("bytes after the term")
	errVersion  = errors.New("not a term of version 131")
	errFunction = errors.New("term holds a function")
	errImproper = errors.New("list does not end in the empty list")
	errFinite   = errors.New("float is not a number")
)

// decodeTerm reads one term in Erlang's external format. It keeps no part of b. The result takes
// at most maxInflated bytes for its strings, and about 100 for each of maxTerms values.
func decodeTerm(b []byte) (any, error) {
	if len(b) > maxInflated {
		return nil, errSize
	}
	if len(b) < 2 || b[0] != tagVersion {
		return nil, errVersion
	}
	b = b[1:]
	if b[0] == tagCompressed {
		var err error
		if b, err = inflate(b[1:]); err != nil {
			return nil, err
		}
	}
	d := decoder{rest: b, terms: 1}
	v, err := d.term(0)
	if err != nil {
		return nil, err
	}
	if len(d.rest) > 0 {
		return nil, errRest
	}
	return v, nil
}

// decoder reads terms from the front of rest.
type decoder struct {
	rest  []byte
	terms int // number of terms, counted from the lengths of containers before they are read
}

// take returns the next n bytes.
func (d *decoder) take(n int) ([]byte, error) {
	if n > len(d.rest) {
		return nil, errCut
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b, nil
}

// size reads a length of width bytes.
func (d *decoder) size(width int) (int, error) {
	b, err := d.take(width)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, c := range b {
		n = n<<8 | int(c)
	}
	// It is negative if an int has 32 bits and the top one is set.
	if n < 0 {
		return 0, errCut
	}
	return n, nil
}

// block reads a length of width bytes, and returns as many bytes.
func (d *decoder) block(width int) ([]byte, error) {
	n, err := d.size(width)
	if err != nil {
		return nil, err
	}
	return d.take(n)
}

// count reads the number of entries of a container, each of which has per terms. A term has at least
// one byte, so count refuses more terms than there are bytes, before memory is allocated for them.
func (d *decoder) count(width, per int) (int, error) {
	n, err := d.size(width)
	switch {
	case err != nil:
		return 0, err
	case n > len(d.rest)/per:
		return 0, errCut
	}
	d.terms += n * per
	if d.terms > maxTerms {
		return 0, errTerms
	}
	return n, nil
}

// term reads a term that is inside of depth containers.
func (d *decoder) term(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	tag, err := d.take(1)
	if err != nil {
		return nil, err
	}
	switch tag[0] {
	case tagSmallInt:
		n, err := d.size(1)
		return int64(n), err
	case tagInt:
		b, err := d.take(4)
		if err != nil {
			return nil, err
		}
		return int64(int32(binary.BigEndian.Uint32(b))), nil
	case tagSmallBig:
		return d.big(1)
	case tagLargeBig:
		return d.big(4)
	case tagFloat:
		return d.float()
	case tagBinary:
		b, err := d.block(4)
		return string(b), err
	case tagAtomLatin1:
		return d.atom(2, true)
	case tagSmallLatin1:
		return d.atom(1, true)
	case tagAtomUTF8:
		return d.atom(2, false)
	case tagSmallUTF8:
		return d.atom(1, false)
	case tagTuple:
		n, err := d.count(1, 1)
		if err != nil {
			return nil, err
		}
		l, err := d.list(n, depth)
		return Tuple(l), err
	case tagNil:
		return []any{}, nil
	case tagString:
		return d.charlist()
	case tagList:
		return d.properList(depth)
	case tagMap:
		return d.mapping(depth)
	case tagNewFun, tagExport, tagFun:
		return nil, errFunction
	}
	return nil, fmt.Errorf("terms with tag %d are not read", tag[0])
}

// big reads an integer of any size: a sign, then the bytes from the lowest to the highest.
func (d *decoder) big(width int) (any, error) {
	n, err := d.size(width)
	if err != nil {
		return nil, err
	}
	if n > maxInteger {
		return nil, errors.New("integer has more than 1024 bytes")
	}
	b, err := d.take(n + 1)
	if err != nil {
		return nil, err
	}
	magnitude := slices.Clone(b[1:])
	slices.Reverse(magnitude)
	i := new(big.Int).SetBytes(magnitude)
	if b[0] != 0 {
		i.Neg(i)
	}
	if i.IsInt64() {
		return i.Int64(), nil
	}
	return i, nil
}

// float reads a float of 8 bytes, which in Erlang is finite.
func (d *decoder) float() (any, error) {
	b, err := d.take(8)
	if err != nil {
		return nil, err
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(b))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errFinite
	}
	return f, nil
}

// atom reads an atom, in UTF-8 or Latin-1.
func (d *decoder) atom(width int, latin1 bool) (any, error) {
	b, err := d.block(width)
	if err != nil {
		return nil, err
	}
	name := string(b)
	if latin1 {
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		name = string(runes)
	}
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxAtom {
		return nil, errAtom
	}
	switch name {
	case "nil":
		return nil, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return Atom(name), nil
}

// charlist reads a list of small integers, which Erlang writes as bytes.
func (d *decoder) charlist() (any, error) {
	n, err := d.count(2, 1)
	if err != nil {
		return nil, err
	}
	b, err := d.take(n)
	if err != nil {
		return nil, err
	}
	l := make([]any, n)
	for i, c := range b {
		l[i] = int64(c)
	}
	return l, nil
}

// properList reads a list that ends in the empty list. Go has no form for others.
func (d *decoder) properList(depth int) (any, error) {
	n, err := d.count(4, 1)
	if err != nil {
		return nil, err
	}
	l, err := d.list(n, depth)
	if err != nil {
		return nil, err
	}
	tail, err := d.take(1)
	if err != nil {
		return nil, err
	}
	if tail[0] != tagNil {
		return nil, errImproper
	}
	return l, nil
}

// list reads n terms that count has counted.
func (d *decoder) list(n, depth int) ([]any, error) {
	l := make([]any, n)
	for i := range l {
		v, err := d.term(depth + 1)
		if err != nil {
			return nil, err
		}
		l[i] = v
	}
	return l, nil
}

// mapping reads a map. It refuses keys that cannot be keys of a Go map.
func (d *decoder) mapping(depth int) (any, error) {
	n, err := d.count(4, 2)
	if err != nil {
		return nil, err
	}
	m := make(Map, n)
	for range n {
		k, err := d.term(depth + 1)
		if err != nil {
			return nil, err
		}
		switch k.(type) {
		case string, Atom, int64, float64, bool, nil:
		default:
			return nil, errKey
		}
		if _, twice := m[k]; twice {
			return nil, errTwice
		}
		if m[k], err = d.term(depth + 1); err != nil {
			return nil, err
		}
	}
	return m, nil
}
