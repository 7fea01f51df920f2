package natshistory

import (
	"testing"

	"github.com/bennu-go/bennu/history"
)

// TestKeyBeforeConflict appends a key again with an old After, when many entries have come since. The
// key counts.
func TestKeyBeforeConflict(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string]int{"one server": 1, "three servers": 3} {
		t.Run(name, func(t *testing.T) {
			url := ""
			if servers == 1 {
				url = startBroker(t, nil).url()
			} else {
				url = urls(clusterOf(t, servers))
			}
			with := func(o *Options) { o.Replicas = servers }
			s, other := open(t, url, with), open(t, url, with)
			first, err := s.Append(patient(t), "t", entry("a", 1), &history.AppendOptions{Keep: plenty, Key: "k", After: &history.Head{}})
			if err != nil {
				t.Fatal(err)
			}
			for n := range uint64(2 * scanned) {
				put(t, s, "t", entry("a", n+2))
			}
			for _, one := range []*store{s, other} {
				p, err := one.Append(patient(t), "t", entry("b", 1), &history.AppendOptions{Keep: plenty, Key: "k", After: &history.Head{}})
				if first.Doubled = true; err != nil || p != first {
					t.Errorf("%+v, %v, want %+v", p, err, first)
				}
			}
		})
	}
}
