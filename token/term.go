package token

import "errors"

// An Atom is an atom of Erlang and Elixir, such as :admin, of at most 255 characters. The atoms
// true, false and nil are read as bool and nil.
type Atom string

// A Tuple is an Erlang tuple, of at most 255 elements.
type Tuple []any

// A Map is a map in a token. The keys of one that was read have the type string, Atom, int64, float64
// or bool, or are nil. Elixir's %{id: 1} has the key Atom("id"). See [Map.Get].
type Map map[any]any

// Get returns the value of the key name as a string, or if there is none, of the atom with that name.
// ok is false if the map has neither.
func (m Map) Get(name string) (v any, ok bool) {
	if v, ok = m[name]; !ok {
		v, ok = m[Atom(name)]
	}
	return v, ok
}

// Bounds of terms that are read or written. A token is decoded only after its signature was checked, so
// these limit the damage when an attacker knows a secret.
const (
	maxDepth    = 64        // nesting of containers
	maxTerms    = 10_000    // values, keys and elements of a token
	maxInflated = 256 << 10 // bytes of a term without compression
	maxInteger  = 1024      // bytes
	maxAtom     = 255       // characters, of up to four bytes
)

var (
	errDepth = errors.New("term is nested more than 64 deep")
	errTerms = errors.New("term has more than 10,000 values")
	errSize  = errors.New("term has more than 256 KiB")
	errAtom  = errors.New("atom is longer than 255 characters or not UTF-8")
	errTwice = errors.New("map has a key twice")
	errKey   = errors.New("map key is not a string, atom, 64-bit integer, float, boolean or nil")
)

// Tags of the external term format, as in the chapter "External Term Format" of Erlang's ERTS manual.
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
