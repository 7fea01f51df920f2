package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/pubsub"
)

// fold is a subscriber of the hall that adds up the diffs which the clients of a node
// get, and takes none that does not fit to the ones before.
type fold struct {
	mu         sync.Mutex
	list       map[string][]string // refs by key
	came, left map[string]int
	diffs      int
	latest     []string
	faults     []string
}

func newFold() *fold {
	return &fold{list: make(map[string][]string), came: make(map[string]int), left: make(map[string]int)}
}

// people are keys on the wire.
type people map[string]struct {
	Metas []struct {
		Ref string `json:"phx_ref"`
	} `json:"metas"`
}

// presenceDiff is a presence_diff.
type presenceDiff struct{ Joins, Leaves people }

// Deliver implements pubsub.Subscriber.
func (f *fold) Deliver(d *pubsub.Dispatch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var diff presenceDiff
	if err := json.Unmarshal(d.Payload, &diff); err != nil || d.Event != "presence_diff" || d.Remote {
		f.fault("%s %.100s, of another node: %v", d.Event, d.Payload, d.Remote)
		return
	}
	f.diffs++
	had := make(map[string]bool)
	for key, p := range diff.Joins {
		had[key] = len(f.list[key]) > 0
		for _, m := range p.Metas {
			if slices.Contains(f.list[key], m.Ref) {
				f.fault("diff %d: %s joins twice as %s", f.diffs, key, m.Ref)
			}
			f.list[key] = append(f.list[key], m.Ref)
		}
	}
	for key, p := range diff.Leaves {
		if _, joins := diff.Joins[key]; !joins {
			had[key] = len(f.list[key]) > 0
		}
		for _, m := range p.Metas {
			i := slices.Index(f.list[key], m.Ref)
			if i < 0 {
				f.fault("diff %d: %s leaves as %s, and has not joined", f.diffs, key, m.Ref)
				continue
			}
			f.list[key] = slices.Delete(f.list[key], i, i+1)
		}
	}
	for key, had := range had {
		switch has := len(f.list[key]) > 0; {
		case has && !had:
			f.came[nodeOf(key)]++
		case had && !has:
			f.left[nodeOf(key)]++
			if f.latest = append(f.latest, key); len(f.latest) > 20 {
				f.latest = f.latest[1:]
			}
		}
		if len(f.list[key]) == 0 {
			delete(f.list, key)
		}
	}
}

func (f *fold) fault(format string, v ...any) {
	if len(f.faults) < 20 {
		f.faults = append(f.faults, fmt.Sprintf(format, v...))
	}
}

func (f *fold) view() view {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := view{Came: maps.Clone(f.came), Left: maps.Clone(f.left), Diffs: f.diffs, Latest: slices.Clone(f.latest), Faults: slices.Clone(f.faults)}
	v.List = make(map[string][]string, len(f.list))
	for key, refs := range f.list {
		v.List[key] = slices.Clone(refs)
	}
	return v
}

// nodeOf is the node whose user has a key.
func nodeOf(key string) string {
	node, _, _ := strings.Cut(key, "/")
	return node
}

// digest is equal for equal lists.
func digest(list map[string][]string) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(list)) {
		for _, ref := range slices.Sorted(slices.Values(list[key])) {
			_, _ = io.WriteString(h, key+" "+ref+"\n") // neither has a space in it
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
