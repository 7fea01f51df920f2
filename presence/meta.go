package presence

import (
	"strings"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/tracker"
	"github.com/bennu-go/bennu/wire"
)

// encodeMeta makes the JSON of a meta: an object, to which the refs can be added.
func encodeMeta(meta any) ([]byte, error) {
	data, err := wire.AppendJSON(nil, meta)
	if err != nil {
		return nil, err
	}
	if meta != nil && string(data) == "null" { // a nil map or pointer
		data = []byte(nils.JSON(meta))
	}
	return soundMeta(data)
}

// soundMeta makes JSON text a meta: compact, so that the refs can be put in front of its
// fields, and without refs of its own.
func soundMeta(text []byte) ([]byte, error) {
	text, err := wire.Compact(text)
	if err != nil {
		return nil, err
	}
	if len(text) < 2 || text[0] != '{' || hasField(text, "phx_ref", "phx_ref_prev") {
		return nil, ErrNotObject
	}
	return text, nil
}

// metaOf is the meta of an entry as it goes to clients. What comes from another node came
// through a broker that others may write to; what this package would not have tracked is {}.
func (c *core) metaOf(e *tracker.Entry) string {
	if c.tracker.Local(e) {
		return e.Meta()
	}
	text, err := soundMeta([]byte(e.Meta()))
	if err != nil {
		return "{}"
	}
	return string(text)
}

// hasField reports whether a JSON object in compact form has one of some fields. Names that
// differ in case only count as equal, as encoding/json has it.
func hasField(object []byte, names ...string) bool {
	depth := 0
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			from := i + 1
			for i = from; object[i] != '"'; i++ {
				if object[i] == '\\' {
					i++
				}
			}
			if depth != 1 || i+1 == len(object) || object[i+1] != ':' {
				continue
			}
			for _, name := range names {
				if strings.EqualFold(string(object[from:i]), name) {
					return true
				}
			}
		}
	}
	return false
}
