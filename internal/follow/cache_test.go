package follow

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// TestRing keeps no more entries in a ring than the topic does.
func TestRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, nil)
		defer w.close()
		w.topic.Bytes = 100
		s := w.join(new(box))
		for range 50 {
			w.tell(w.append(1)...)
		}
		ring := &s.follower.ring
		if n := len(ring.entries); n != 10 || ring.end() != s.Head().Offset {
			t.Errorf("%d entries", n)
		}
		w.tell(w.store.append("t", `{"text":"`+strings.Repeat("x", 60)+`"}`))
		if n := len(ring.entries); ring.payload > 100 || n != 5 {
			t.Errorf("%d entries with %d bytes", n, ring.payload)
		}
		w.tell(w.store.append("t", `{"text":"`+strings.Repeat("x", 600)+`"}`))
		if n := len(ring.entries); n != 0 || ring.base != s.Head().Offset || ring.payload != 0 {
			t.Errorf("%d entries with %d bytes", n, ring.payload)
		}
		if s := w.Stats(); s.Entries != 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestCacheBytes bounds the entries of all topics, and removes those that were used least lately.
func TestCacheBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1000, func(o *Options) { o.CacheBytes = leastCache })
		defer w.close()
		const topics = 50
		var subs []*Subscription
		for i := range topics {
			subs = append(subs, w.Subscribe(fmt.Sprint("t", i), new(box)))
		}
		synctest.Wait()
		payload := `{"text":"` + strings.Repeat("x", 1000) + `"}`
		for range 100 {
			for i := range topics {
				w.tell(w.store.append(fmt.Sprint("t", i), payload))
				if n := w.Stats().Bytes; n > leastCache+len(payload)+overhead {
					t.Fatalf("%d bytes", n)
				}
				if i%7 == 0 {
					synctest.Wait() // the cache is tidied
				}
			}
			time.Sleep(time.Second)
		}
		for range 300 { // one topic is in use
			w.tell(w.store.append("t7", payload))
			synctest.Wait()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := len(subs[7].follower.ring.entries); n < 100 {
			t.Errorf("%d entries of the topic in use", n)
		}
		for i, s := range subs {
			if n := len(s.follower.ring.entries); i != 7 && n != 1 {
				t.Errorf("%d entries of topic %d", n, i)
			}
		}
		want := 0
		for _, s := range subs {
			want += s.follower.size()
		}
		if n := w.Stats().Bytes; n != want {
			t.Errorf("%d bytes are counted, there are %d", n, want)
		}
	})
}

// TestManyTopics keeps to the bound even if each topic has one entry.
func TestManyTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, func(o *Options) { o.CacheBytes = leastCache })
		defer w.close()
		payload := `{"text":"` + strings.Repeat("x", 1000) + `"}`
		for i := range 2000 {
			name := fmt.Sprint("t", i)
			w.Subscribe(name, new(box))
			synctest.Wait()
			w.tell(w.store.append(name, payload))
		}
		synctest.Wait()
		if n := w.Stats().Bytes; n > leastCache {
			t.Errorf("%d bytes", n)
		}
	})
}

// TestNoResume keeps nothing of a topic that nobody resumes.
func TestNoResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, nil)
		defer w.close()
		w.topic.NoResume = true
		b := new(box)
		w.join(b)
		list := w.append(3)
		w.tell(list...)
		b.want(t, list...)
		if s := w.Stats(); s.Entries != 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestRun looks for places in a run.
func TestRun(t *testing.T) {
	r := run{base: 10}
	for prev := uint64(10); prev < 50; prev += 10 {
		r.add(&Entry{Message: &pubsub.Message{Payload: []byte("{}"), Place: &pubsub.Place{Offset: prev + 10, Prev: prev}}})
	}
	for _, tt := range []struct {
		offset uint64
		n      int
		state  State
	}{{9, 0, Missing}, {10, 4, Some}, {15, 0, Gone}, {20, 3, Some}, {40, 1, Some}, {49, 0, Gone}, {50, 0, Missing}, {51, 0, Missing}} {
		if list, state := r.find(tt.offset); len(list) != tt.n || state != tt.state {
			t.Errorf("%d: %d entries, %v", tt.offset, len(list), state)
		}
	}
	r.drop(0)
	r.drop(2)
	if r.base != 30 || len(r.entries) != 2 || r.payload != 4 {
		t.Errorf("%+v", r)
	}
	r.drop(2)
	if r.base != 50 || r.end() != 50 || r.payload != 0 {
		t.Errorf("%+v", r)
	}
}
