package bennu

import (
	"bytes"
	"math"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/jsontext"
)

// since is what the payload of a join says about the history of its topic.
type since struct {
	kind      sinceKind
	at        follow.Position // for sinceAt
	inPayload bool            // offsets go into payloads
}

// sinceKind says what a client asks for.
type sinceKind uint8

const (
	sinceNone    sinceKind = iota // no offsets
	sinceNew                      // offsets from now on
	sinceAt                       // what follows a position
	sinceInvalid                  // what follows something that is no position
)

// offsetsParam is the member that says in which form the client gets offsets.
const offsetsParam = "offsets"

// maxSince is the length of the longest position.
const maxSince = 29

// sinceOf looks for the member param in the object that a client has sent with its join. Of several,
// the last counts, as for the parsers of JSON. It allocates nothing before it has found one.
func sinceOf(p Payload, param string) (s since) {
	data := p.Data
	// The text is valid already, so the bounds and errors of the scanner do not matter.
	scan := jsontext.Scanner{Data: data, MaxTokens: math.MaxInt, Lenient: true}
	i := scan.Space(0)
	if p.Binary || i >= len(data) || data[i] != '{' {
		return since{}
	}
	for i = scan.Space(i + 1); i < len(data) && data[i] == '"'; {
		end, err := scan.Name(i)
		if err != nil {
			return since{}
		}
		key := data[i+1 : end-1]
		from, err := scan.Colon(end)
		if err != nil {
			return since{}
		}
		to, err := scan.Value(from, 1)
		if err != nil {
			return since{}
		}
		switch value := data[from:to]; {
		case isName(key, param):
			s.kind, s.at = sinceValue(value)
		case isName(key, offsetsParam):
			s.inPayload = string(value) == `"payload"`
		}
		if i = scan.Space(to); i < len(data) && data[i] == ',' {
			i = scan.Space(i + 1)
		}
	}
	return s
}

// sinceValue reads the value of the member, which is JSON text.
func sinceValue(value []byte) (sinceKind, follow.Position) {
	switch {
	case string(value) == "null", string(value) == `""`:
		return sinceNew, follow.Position{}
	case value[0] != '"':
		return sinceNone, follow.Position{}
	}
	text := value[1 : len(value)-1]
	if len(text) > 6*maxSince { // each byte has at most six in JSON
		return sinceInvalid, follow.Position{}
	}
	if bytes.IndexByte(text, '\\') >= 0 {
		text = jsontext.AppendUnquoted(nil, text)
	}
	o, err := history.ParseOffset(string(text))
	if err != nil {
		return sinceInvalid, follow.Position{}
	}
	return sinceAt, positionOf(o)
}

// isName reports whether a key of an object, which may have escapes, is a name.
func isName(key []byte, name string) bool {
	if bytes.IndexByte(key, '\\') < 0 {
		return string(key) == name
	}
	return len(key) <= 6*len(name) && string(jsontext.AppendUnquoted(nil, key)) == name
}
