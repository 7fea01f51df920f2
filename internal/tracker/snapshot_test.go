package tracker

import (
	"fmt"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
)

// follower takes a list at some time, and applies the diffs after it.
type follower struct {
	list   map[*Entry]bool // nil before
	faults []string
}

func (f *follower) follow(d Diff) {
	if f.list == nil {
		return
	}
	for _, e := range d.Joins {
		if f.list[e] {
			f.faults = append(f.faults, "joins, and was in the list: "+e.Key())
		}
		f.list[e] = true
	}
	for _, e := range d.Leaves {
		if !f.list[e] {
			f.faults = append(f.faults, "leaves, and was not in the list: "+e.Key())
		}
		delete(f.list, e)
	}
}

// TestSnapshot takes lists while entries come and go faster than tell is called. With the diffs after it,
// each list becomes every later list, and no diff has a superfluous entry.
func TestSnapshot(t *testing.T) {
	var mu sync.Mutex
	var followers []*follower
	tr, err := Start(t.Context(), pubsub.NewLocal(), Options{}, func(_ *Tracker, d Diff) {
		mu.Lock()
		defer mu.Unlock()
		for _, f := range followers {
			f.follow(d)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	take := func() (f *follower) {
		tr.Snapshot("t", func(list []*Entry) {
			mu.Lock()
			defer mu.Unlock()
			f = &follower{list: map[*Entry]bool{}}
			for _, e := range list {
				f.list[e] = true
			}
			followers = append(followers, f)
		})
		return f
	}
	var all sync.WaitGroup
	for owner := range 4 {
		all.Go(func() {
			for i := range 2000 {
				key := fmt.Sprint(i % 7)
				if _, err := tr.Track("t", Owner(owner), key, nil); err == nil && i%3 == 0 {
					_, _ = tr.Update("t", Owner(owner), key, []byte("new"))
				}
				if i%2 == 0 {
					tr.Untrack("t", Owner(owner), fmt.Sprint((i+3)%7))
				}
				if i%10 == 0 {
					tr.UntrackOwner(Owner(owner))
				}
			}
		})
	}
	for range 200 {
		take()
	}
	all.Wait()
	last := take()
	for i, f := range followers {
		for _, fault := range f.faults {
			t.Errorf("list %d: %s", i, fault)
		}
		if len(f.list) != len(last.list) {
			t.Errorf("list %d became %d entries, want %d", i, len(f.list), len(last.list))
		}
		for e := range f.list {
			if !last.list[e] {
				t.Errorf("list %d kept %s, which is gone", i, e.Key())
			}
		}
		if t.Failed() {
			return
		}
	}
}
