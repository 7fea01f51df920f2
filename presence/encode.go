package presence

import (
	"cmp"
	"encoding/json"
	"slices"

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
	if len(data) < 2 || data[0] != '{' {
		return nil, ErrNotObject
	}
	var refs struct {
		Ref     json.RawMessage `json:"phx_ref"`
		PrevRef json.RawMessage `json:"phx_ref_prev"`
	}
	if err := json.Unmarshal(data, &refs); err != nil || refs.Ref != nil || refs.PrevRef != nil {
		return nil, ErrNotObject
	}
	return data, nil
}

// grouped is entries by key.
type grouped struct {
	entries []*tracker.Entry // sorted by key
	sound   func(*tracker.Entry) bool
}

// group sorts entries by key, and the metas of a key by their refs.
func (c *core) group(entries []*tracker.Entry) grouped {
	slices.SortFunc(entries, func(a, b *tracker.Entry) int {
		if d := cmp.Compare(a.Key(), b.Key()); d != 0 {
			return d
		}
		return cmp.Compare(a.Ref(), b.Ref())
	})
	return grouped{entries, c.sound}
}

// sound reports whether the meta of an entry is what this package would have tracked:
// what comes from another node came through a broker that others may write to.
func (c *core) sound(e *tracker.Entry) bool {
	m := e.Meta()
	return c.tracker.Local(e) || len(m) > 1 && m[0] == '{' && wire.Check([]byte(m)) == nil
}

// keys lists the keys.
func (g grouped) keys() []string {
	var keys []string
	for _, e := range g.entries {
		if n := len(keys); n == 0 || keys[n-1] != e.Key() {
			keys = append(keys, e.Key())
		}
	}
	return keys
}

// append writes the object of all keys, with the fields that were fetched for them.
func (g grouped) append(b []byte, fields map[string][]byte) []byte {
	b = append(b, '{')
	for i, e := range g.entries {
		first := i == 0 || g.entries[i-1].Key() != e.Key()
		if first {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, e.Key())
			b = append(b, `:{"metas":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendMeta(b, e, g.sound(e))
		if i == len(g.entries)-1 || g.entries[i+1].Key() != e.Key() {
			b = append(b, ']')
			if f := fields[e.Key()]; len(f) > 2 {
				b = append(b, ',')
				b = append(b, f[1:]...)
			} else {
				b = append(b, '}')
			}
		}
	}
	return append(b, '}')
}

func appendMeta(b []byte, e *tracker.Entry, sound bool) []byte {
	b = append(b, `{"phx_ref":`...)
	b = appendString(b, e.Ref())
	if prev := e.PrevRef(); prev != "" {
		b = append(b, `,"phx_ref_prev":`...)
		b = appendString(b, prev)
	}
	if m := e.Meta(); sound && m != "{}" {
		b = append(b, ',')
		return append(b, m[1:]...)
	}
	return append(b, '}')
}

// appendString writes a JSON string. What is no UTF-8 in it is replaced.
func appendString(b []byte, s string) []byte {
	out, err := wire.AppendJSON(b, s)
	if err != nil {
		return append(b, `""`...) // a string always encodes
	}
	return out
}

// maxDiffBytes is about how large one presence_diff gets. A larger change is told in
// several, each with whole keys, so that an update stays in one.
const maxDiffBytes = 256 << 10

// sendDiff tells the clients of this node of a change.
func (c *core) sendDiff(topic string, d tracker.Diff) {
	joins, leaves := c.group(d.Joins), c.group(d.Leaves)
	keys := append(joins.keys(), leaves.keys()...)
	slices.Sort(keys)
	fields := c.fetch.fields(topic, slices.Compact(keys))
	for len(joins.entries) > 0 || len(leaves.entries) > 0 {
		j, l := split(&joins, &leaves, fields)
		b := append([]byte(nil), `{"joins":`...)
		b = j.append(b, fields)
		b = append(b, `,"leaves":`...)
		b = l.append(b, fields)
		c.send(topic, eventDiff, append(b, '}'))
	}
}

// split takes whole keys off the front of both lists, until they are as large as one
// diff may be.
func split(joins, leaves *grouped, fields map[string][]byte) (j, l grouped) {
	size, nj, nl := 0, 0, 0
	for size < maxDiffBytes && (nj < len(joins.entries) || nl < len(leaves.entries)) {
		var key string
		switch {
		case nl == len(leaves.entries):
			key = joins.entries[nj].Key()
		case nj == len(joins.entries):
			key = leaves.entries[nl].Key()
		default:
			key = min(joins.entries[nj].Key(), leaves.entries[nl].Key())
		}
		for ; nj < len(joins.entries) && joins.entries[nj].Key() == key; nj++ {
			size += sizeOf(joins.entries[nj], fields)
		}
		for ; nl < len(leaves.entries) && leaves.entries[nl].Key() == key; nl++ {
			size += sizeOf(leaves.entries[nl], fields)
		}
	}
	j, l = grouped{joins.entries[:nj], joins.sound}, grouped{leaves.entries[:nl], leaves.sound}
	joins.entries, leaves.entries = joins.entries[nj:], leaves.entries[nl:]
	return j, l
}

func sizeOf(e *tracker.Entry, fields map[string][]byte) int {
	const around = 80
	return len(e.Meta()) + len(e.Key()) + len(fields[e.Key()]) + around
}
