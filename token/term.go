package token

import "errors"

// An Atom is a name in Erlang and Elixir, such as :admin. The atoms true, false
// and nil are bool and nil in Go. At most 255 characters.
type Atom string

// A Tuple is an Erlang tuple, of at most 255 elements.
type Tuple []any

// A Map is a map as it is read from a token. Keys are string, Atom, int64,
// float64, bool or nil; Elixir's %{id: 1} has the key Atom("id"). See [Map.Get].
type Map map[any]any

// Get gives the value under the string name, or else under the atom of that
// name: Elixir programs use one or the other.
func (m Map) Get(name string) (v any, ok bool) {
	if v, ok = m[name]; !ok {
		v, ok = m[Atom(name)]
	}
	return v, ok
}

// Bounds of what is read, and so of what is written. A token is only decoded
// after its signature was checked; these are for the day a secret leaks.
const (
	// maxDepth counts the containers that a value is in.
	maxDepth = 64
	// maxTerms counts every value, key and element of a token.
	maxTerms = 10_000
	// maxInflated is in bytes, of a term when it is written out.
	maxInflated = 256 << 10
	// maxInteger is in bytes.
	maxInteger = 1024
	// maxAtom is in characters, of which each may take four bytes.
	maxAtom = 255
)

var (
	errDepth = errors.New("term is nested more than 64 deep")
	errTerms = errors.New("term has more than 10,000 values")
	errSize  = errors.New("term has more than 256 KiB")
	errAtom  = errors.New("atom is longer than 255 characters or not UTF-8")
	errTwice = errors.New("map has a key twice")
	errKey   = errors.New("map key is not a string, atom, 64-bit integer, float, boolean or nil")
)

// Tags of the external term format.
const (
	tagVersion     = 131
	tagCompressed  = 80
	tagFloat       = 70
	tagSmallInt    = 97
	tagInt         = 98
	tagAtomLatin1  = 100
	tagTuple       = 104
	tagNil         = 106
	tagString      = 107
	tagList        = 108
	tagBinary      = 109
	tagSmallBig    = 110
	tagLargeBig    = 111
	tagNewFun      = 112
	tagExport      = 113
	tagSmallLatin1 = 115
	tagMap         = 116
	tagFun         = 117
	tagAtomUTF8    = 118
	tagSmallUTF8   = 119
)
