package presence

import (
	"slices"

	"github.com/bennu-go/bennu/tracker"
	"github.com/bennu-go/bennu/wire"
)

// maxMessageBytes is how large a message with a list or a diff gets, unless a single entry is
// larger. What does not fit goes into further ones, so that it fits the queue of a
// connection.
const maxMessageBytes = 64 << 10

// object is a JSON object of entries by key, while it is written. Entries are added in the
// order of their keys.
type object struct {
	c      *core
	fields map[string][]byte // what Fetch returned for keys
	b      []byte
	keys   int    // how many have begun
	key    string // the last
	open   bool   // its object is not closed yet
}

// object begins an object, after a text that may be "".
func (c *core) object(before string, fields map[string][]byte) object {
	return object{c: c, fields: fields, b: []byte(before + "{")}
}

func (o *object) add(e *tracker.Entry) {
	if o.open && o.key == e.Key() {
		o.b = append(o.b, ',')
	} else {
		o.close()
		if o.keys++; o.keys > 1 {
			o.b = append(o.b, ',')
		}
		o.key, o.open = e.Key(), true
		o.b = wire.AppendString(o.b, o.key)
		o.b = append(o.b, `:{"metas":[`...)
	}
	o.b = append(o.b, `{"phx_ref":`...)
	o.b = wire.AppendString(o.b, e.Ref())
	if prev := e.PrevRef(); prev != "" {
		o.b = append(o.b, `,"phx_ref_prev":`...)
		o.b = wire.AppendString(o.b, prev)
	}
	if m := o.c.metaOf(e); m != "{}" {
		o.b = append(o.b, ',')
		o.b = append(o.b, m[1:]...)
	} else {
		o.b = append(o.b, '}')
	}
}

func (o *object) close() {
	if !o.open {
		return
	}
	o.open = false
	o.b = append(o.b, ']')
	if f := o.fields[o.key]; len(f) > 2 {
		o.b = append(o.b, ',')
		o.b = append(o.b, f[1:]...)
	} else {
		o.b = append(o.b, '}')
	}
}

func (o *object) end() []byte {
	o.close()
	return append(o.b, '}')
}

// size is how large the object is if it ends now.
func (o *object) size() int {
	if !o.open {
		return len(o.b) + 1
	}
	return len(o.b) + 2 + max(1, len(o.fields[o.key]))
}

// encode writes all entries, which it sorts.
func (c *core) encode(entries []*tracker.Entry, fields map[string][]byte) []byte {
	slices.SortFunc(entries, byKey)
	o := c.object("", fields)
	for _, e := range entries {
		o.add(e)
	}
	return o.end()
}

// message writes as many changes as fit into limit bytes, one at least, and returns how many.
// Changes of one key are in one message if they can be. With state there are only joins, and
// it is a presence_state; otherwise it is a presence_diff.
func (c *core) message(list []change, fields map[string][]byte, limit int, state bool) (payload []byte, n int) {
	joins, leaves := c.object(`{"joins":`, fields), c.object(`,"leaves":`, fields)
	if state {
		joins = c.object("", fields)
	}
	beforeKey := [2]object{joins, leaves}
	first := 0 // of the key
	for i, ch := range list {
		if i > first && ch.e.Key() != list[first].e.Key() {
			first, beforeKey = i, [2]object{joins, leaves}
		}
		before := [2]object{joins, leaves}
		to := &joins
		if ch.leaves {
			to = &leaves
		}
		to.add(ch.e)
		if n = i + 1; i > 0 && joins.size()+leaves.size()+1 > limit {
			n = i
			if first > 0 {
				n, before = first, beforeKey
			}
			joins, leaves = before[0], before[1]
			break
		}
	}
	if state {
		return joins.end(), n
	}
	payload = append(joins.end(), leaves.end()...)
	return append(payload, '}'), n
}
