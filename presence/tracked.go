package presence

import (
	"encoding/json"
	"strings"

	"github.com/bennu-go/bennu/internal/tracker"
)

// Tracked is one meta of a key.
type Tracked[Meta any] struct {
	Meta Meta
	// Ref names the entry on all nodes, and PrevRef the entry that it replaced, or is "". An
	// entry gets another Ref if its node has to announce it again, because another node had
	// the same name or the clock of the node was set back.
	Ref, PrevRef string
}

// Change is a diff of one topic: joins and leaves by key. An update is a join and a leave.
type Change[Meta any] struct {
	Topic         string
	Joins, Leaves map[string][]Tracked[Meta]
}

// typed decodes entries. A meta that another node tracked with another type may not decode;
// it becomes the zero Meta.
func typed[Meta any](entries []*tracker.Entry) map[string][]Tracked[Meta] {
	byKey := make(map[string][]Tracked[Meta])
	for _, e := range entries {
		list, known := byKey[e.Key()]
		list = append(list, typedOne[Meta](e))
		if !known {
			// The caller may keep a key longer than its entry, of which it is a part.
			byKey[strings.Clone(e.Key())] = list
			continue
		}
		byKey[e.Key()] = list
	}
	return byKey
}

func typedOne[Meta any](e *tracker.Entry) Tracked[Meta] {
	t := Tracked[Meta]{Ref: e.Ref(), PrevRef: e.PrevRef()}
	var m Meta
	if json.Unmarshal([]byte(e.Meta()), &m) == nil {
		t.Meta = m
	}
	return t
}
