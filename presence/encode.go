package presence

import (
	"slices"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/tracker"
)

// maxMessageBytes bounds a message with a list or a diff, unless a single entry is larger. The
// rest goes into further messages.
const maxMessageBytes = 64 << 10

// messageBytes returns maxMessageBytes, or a quarter of the smallest queue of a client if that
// is less: a larger message would end the channels of such clients.
func (c *core) messageBytes() int {
	return int(min(maxMessageBytes, max(pace.LeastQueue(c.ps)/4, 1)))
}

// object writes a JSON object of entries by key. Entries are added in the order of their keys.
type object struct {
	c      *core
	fields map[string][]byte // by key, from Fetch
	b      []byte
	keys   int    // number of keys written
	key    string // the last one
	open   bool   // the object of the last key is not closed yet
}

// object begins an object behind the text before.
func (c *core) object(before string, fields map[string][]byte) object {
	return object{c: c, fields: fields, b: []byte(before + "{")}
}

// add adds an entry.
func (o *object) add(e *tracker.Entry) {
	if o.open && o.key == e.Key() {
		o.b = append(o.b, ',')
	} else {
		o.close()
		if o.keys++; o.keys > 1 {
			o.b = append(o.b, ',')
		}
		o.key, o.open = e.Key(), true
		o.b = jsontext.AppendString(o.b, o.key)
		o.b = append(o.b, `:{"metas":[`...)
	}
	o.b = append(o.b, `{"phx_ref":`...)
	o.b = jsontext.AppendString(o.b, e.Ref())
	if prev := e.PrevRef(); prev != "" {
		o.b = append(o.b, `,"phx_ref_prev":`...)
		o.b = jsontext.AppendString(o.b, prev)
	}
	if m := o.c.metaOf(e); m != "{}" {
		o.b = append(o.b, ',')
		o.b = append(o.b, m[1:]...)
	} else {
		o.b = append(o.b, '}')
	}
}

// close closes the object of the last key.
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

// end closes the object and returns its text.
func (o *object) end() []byte {
	o.close()
	return append(o.b, '}')
}

// size returns the length of the text if the object ended now.
func (o *object) size() int {
	if !o.open {
		return len(o.b) + 1
	}
	return len(o.b) + 2 + max(1, len(o.fields[o.key]))
}

// encode returns the JSON object of entries. It sorts them.
func (c *core) encode(entries []*tracker.Entry, fields map[string][]byte) []byte {
	slices.SortFunc(entries, byKey)
	o := c.object("", fields)
	for _, e := range entries {
		o.add(e)
	}
	return o.end()
}

// message returns a payload with the first n changes of list: as many as fit into limit bytes,
// and at least one. It does not split the changes of a key, unless they do not fit into one
// message. If state is true, list has only joins, and the payload is that of presence_state;
// otherwise it is that of presence_diff.
func (c *core) message(list []change, fields map[string][]byte, limit int, state bool) (payload []byte, n int) {
	joins, leaves := c.object(`{"joins":`, fields), c.object(`,"leaves":`, fields)
	if state {
		joins = c.object("", fields)
	}
	// Copies of both objects are a way back: appending to b does not change what they hold.
	beforeKey := [2]object{joins, leaves}
	first := 0 // index of the first change of the present key
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
			if first > 0 { // leave out all changes of this key
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
