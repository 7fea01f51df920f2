package presence

import (
	"encoding/json"
	"strings"

	"github.com/bennu-go/bennu/internal/tracker"
)

// Tracked is one meta of a key.
type Tracked[Meta any] struct {
	// Meta is decoded from JSON, also on the node that tracked it. It is the zero Meta if
	// another node tracked it with a type that does not fit.
	Meta Meta
	// Ref names the entry on all nodes. PrevRef is the Ref that the entry had before its last
	// Update, or "". An entry also gets another Ref if its node has to announce it again,
	// because another node had the same name or the clock of the node was set back.
	Ref, PrevRef string
}

// Change is a diff of one topic: the joins and the leaves by key. An update is a join and a leave. The
// maps belong to the hook that gets them.
type Change[Meta any] struct {
	Topic         string
	Joins, Leaves map[string][]Tracked[Meta]
}

// typed decodes entries. A meta of another node may have another type; if it does not decode, it becomes
// the zero Meta.
func typed[Meta any](entries []*tracker.Entry) map[string][]Tracked[Meta] {
	byKey := make(map[string][]Tracked[Meta])
	for _, e := range entries {
		list, known := byKey[e.Key()]
		list = append(list, typedOne[Meta](e))
		if !known {
			// A clone, since the key shares the memory of its entry and may outlive it.
			byKey[strings.Clone(e.Key())] = list
			continue
		}
		byKey[e.Key()] = list
	}
	return byKey
}

// typedOne decodes one entry.
func typedOne[Meta any](e *tracker.Entry) Tracked[Meta] {
	t := Tracked[Meta]{Ref: e.Ref(), PrevRef: e.PrevRef()}
	var m Meta
	if json.Unmarshal([]byte(e.Meta()), &m) == nil {
		t.Meta = m
	}
	return t
}
