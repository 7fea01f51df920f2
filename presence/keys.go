package presence

import (
	"slices"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/internal/tracker"
)

// keyCounts counts the metas of each key of each topic. hooks has one for First and Last, which counts
// the changes that the hooks have got; core has one for the number of keys in presence_count.
type keyCounts struct {
	mu     sync.Mutex
	topics map[string]map[string]int // by topic and key; without zeros
}

// apply applies a diff. It returns the keys that have got their first meta, and those that have lost
// their last one, each sorted.
func (k *keyCounts) apply(topic string, d tracker.Diff) (firsts, lasts []string) {
	if d.Empty() {
		return nil, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	counts := k.topics[topic]
	if counts == nil {
		if k.topics == nil {
			k.topics = make(map[string]map[string]int)
		}
		counts = make(map[string]int)
		k.topics[topic] = counts
	}
	before := make(map[string]int)
	note := func(key string, change int) {
		if _, known := before[key]; !known {
			before[key] = counts[key]
		}
		if counts[key] == 0 {
			key = strings.Clone(key) // the key shares the memory of its entry and may outlive it
		}
		if counts[key] += change; counts[key] == 0 {
			delete(counts, key)
		}
	}
	for _, e := range d.Joins {
		note(e.Key(), 1)
	}
	for _, e := range d.Leaves {
		note(e.Key(), -1)
	}
	for key, was := range before {
		switch is := counts[key]; {
		case was == 0 && is > 0:
			firsts = append(firsts, key)
		case was > 0 && is == 0:
			lasts = append(lasts, key)
		}
	}
	slices.Sort(firsts)
	slices.Sort(lasts)
	if len(counts) == 0 {
		delete(k.topics, topic)
	}
	return firsts, lasts
}

// of returns the number of keys of a topic.
func (k *keyCounts) of(topic string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.topics[topic])
}
