package follow

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// TestBound drops what waits beyond the bounds, and reads it from the store.
func TestBound(t *testing.T) {
	for name, payload := range map[string]string{
		"entries": `{}`,
		"bytes":   `{"text":"` + string(make20k()) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 5000, nil)
				defer w.close()
				b := new(box)
				s := w.join(b)
				var list []*pubsub.Message
				for range chainEntries + 500 {
					list = append(list, w.store.append("t", payload))
				}
				w.tell(list[1:]...)
				s.follower.mu.Lock()
				c := s.follower.chain
				if len(c.waiting) > chainEntries || c.bytes > chainBytes {
					t.Errorf("%d entries with %d bytes wait", len(c.waiting), c.bytes)
				}
				s.follower.mu.Unlock()
				time.Sleep(time.Second)
				synctest.Wait()
				b.want(t, list...)
				if c := s.follower.chain; c != nil {
					t.Errorf("%d entries wait in the end", len(c.waiting))
				}
			})
		})
	}
}

func make20k() []byte {
	text := make([]byte, 20<<10)
	for i := range text {
		text[i] = 'x'
	}
	return text
}

// TestBogus drops entries that are in no log when the store has been read.
func TestBogus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		list := w.append(1)
		w.tell(list...)
		for i := range uint64(10) {
			m := *list[0]
			m.Place = &pubsub.Place{Epoch: m.Place.Epoch, Offset: 1<<40 + 2*i, Prev: 1<<40 + 2*i - 1}
			w.tell(&m)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		b.want(t, list...)
		if n := w.store.readCount(); n != 1 {
			t.Errorf("%d reads", n)
		}
		if s.follower.chain != nil {
			t.Error("they wait")
		}
		more := w.append(2)
		w.tell(more...)
		b.want(t, append(list, more...)...)
	})
}

// TestTail finds the last entry, of which nobody told, by the check.
func TestTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		w.join(b)
		list := w.append(2)
		time.Sleep(34 * time.Second)
		synctest.Wait()
		b.want(t, list...)
	})
}

// TestCheckPeriod asks for the head of each topic once in the time of Check, many in one call.
func TestCheckPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		const topics = 2000
		for i := range topics {
			w.Subscribe(string(rune('a'+i%26))+string(rune(i)), new(box))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		w.store.mu.Lock()
		w.store.calls = nil
		w.store.mu.Unlock()
		time.Sleep(10 * 33 * time.Second)
		w.store.mu.Lock()
		defer w.store.mu.Unlock()
		asked, most := 0, 0
		for _, n := range w.store.calls {
			asked += n
			most = max(most, n)
		}
		if asked < 9*topics || asked > 12*topics || most > askTopics {
			t.Errorf("%d questions about %d topics in %d calls, at most %d in one", asked, topics, len(w.store.calls), most)
		}
	})
}

// TestAsk asks at once when messages of other nodes may be lost.
func TestAsk(t *testing.T) {
	for name, event := range map[string]func(a *fakeAdapter){
		"gap":      func(a *fakeAdapter) { a.Gap(pubsub.Gap{Topic: "t"}) },
		"all":      func(a *fakeAdapter) { a.Gap(pubsub.Gap{}) },
		"away":     func(a *fakeAdapter) { a.set(pubsub.Health{Peers: []string{"other"}}) },
		"peer":     func(a *fakeAdapter) { a.set(pubsub.Health{Connected: true}) },
		"refused":  func(a *fakeAdapter) { a.Gap(pubsub.Gap{Topic: "t", Over: make(chan struct{})}) },
		"overtake": func(a *fakeAdapter) { a.set(pubsub.Health{Connected: true, Peers: []string{"third"}}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var a *fakeAdapter
				w := newWorld(t, 100, withAdapter(nil, &a))
				defer w.close()
				defer w.ps.Close(t.Context())
				a.set(pubsub.Health{Connected: true, Peers: []string{"other"}})
				b := new(box)
				w.join(b)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				list := w.append(2)
				event(a)
				time.Sleep(watchTime)
				synctest.Wait()
				b.want(t, list...)
				more := w.append(1)
				time.Sleep(watchTime)
				synctest.Wait()
				if name == "away" || name == "refused" { // asked each second
					b.want(t, append(list, more...)...)
				} else {
					b.want(t, list...)
				}
			})
		})
	}
}

// TestStoreAway asks again until the store answers.
func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		w := newWorld(t, 100, nil)
		w.store.fail = func() error {
			if away.Load() {
				return errAway
			}
			return nil
		}
		defer w.close()
		away.Store(true)
		b := new(box)
		s := w.Subscribe("t", b)
		list := w.append(5)
		w.tell(list[3])
		time.Sleep(time.Hour)
		synctest.Wait()
		if s.Ready() == nil {
			t.Fatal("ready without the store")
		}
		away.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s.Ready() != nil || s.Head().Offset != list[4].Place.Offset {
			t.Fatalf("not ready, or head %v", s.Head())
		}
		away.Store(true)
		more := w.append(4)
		w.tell(more[0], more[3])
		b.last = s.Head()
		time.Sleep(time.Hour)
		synctest.Wait()
		b.want(t, more[0])
		away.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.want(t, more...)
	})
}
