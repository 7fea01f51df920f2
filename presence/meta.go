package presence

import (
	"strings"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/tracker"
)

// encodeMeta returns the JSON of a meta. The error is ErrNotObject or one of encoding/json.
func encodeMeta(meta any) ([]byte, error) {
	data, err := jsontext.Append(nil, meta)
	if err != nil {
		return nil, err
	}
	if meta != nil && string(data) == "null" { // a nil map or pointer becomes {}
		data = []byte(nils.JSON(meta))
	}
	return soundMeta(data)
}

// soundMeta checks that JSON text is an object without refs. It returns the text in compact form, in
// front of whose fields object.add puts the refs.
func soundMeta(text []byte) ([]byte, error) {
	text, err := jsontext.Compact(text)
	if err != nil {
		return nil, err
	}
	if len(text) < 2 || text[0] != '{' || hasField(text, "phx_ref", "phx_ref_prev") {
		return nil, ErrNotObject
	}
	return text, nil
}

// metaOf returns the JSON of an entry's meta for clients. Metas of other nodes are checked again, since
// others may write to the broker: one that no Track would accept becomes {}.
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

// hasField reports whether a compact JSON object has a field of one of the names. Like
// encoding/json, it ignores case.
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
