package follow

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// TestOrder gives entries in order, whatever the order in which they come and how often.
func TestOrder(t *testing.T) {
	for name, order := range map[string][]int{
		"in order":  {0, 1, 2, 3, 4},
		"doubled":   {0, 0, 1, 1, 2, 3, 0, 3, 4, 4},
		"reordered": {4, 2, 3, 0, 1},
		"reversed":  {4, 3, 2, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 100, nil)
				defer w.close()
				b := new(box)
				w.join(b)
				list := w.append(5)
				for _, i := range order {
					w.tell(list[i])
				}
				b.want(t, list...)
				if n := w.store.readCount(); n != 0 {
					t.Errorf("%d reads of the store", n)
				}
			})
		})
	}
}

// TestHole reads what did not come from the store, a while later.
func TestHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		w.join(b)
		list := w.append(5)
		w.tell(list[0], list[3])
		b.want(t, list[0])
		time.Sleep(holeTime - 1)
		b.want(t, list[0])
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(t, list...)
		if s := w.Stats(); s.Repairs != 1 || s.Reads != 1 || s.Filled != 3 || s.Entries != 5 {
			t.Errorf("%+v", s)
		}
	})
}

// TestPlain passes messages without a place on as they are.
func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		a, b := new(box), new(box)
		w.join(a)
		w.join(b)
		memo := new(int)
		a.hook = func(d *pubsub.Dispatch) { d.Memo = memo }
		b.hook = func(d *pubsub.Dispatch) {
			if d.Memo != memo {
				t.Error("the memo is not shared")
			}
		}
		w.ps.LocalBroadcast(&pubsub.Message{Topic: "t", Event: "plain"})
		for _, b := range []*box{a, b} {
			if !slices.Equal(b.plain, []string{"plain"}) {
				t.Errorf("got %q", b.plain)
			}
		}
	})
}

// TestFirst follows a topic that has no log yet.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		if s.Head() != (Position{}) {
			t.Fatalf("head is %v", s.Head())
		}
		list := w.append(3)
		w.tell(list...)
		b.want(t, list...)
		got, state := s.Next(Position{}, 2, 1000)
		if state != Some || len(got) != 2 {
			t.Errorf("%d entries, state %v", len(got), state)
		}
		if _, state = s.Next(s.Head(), 2, 1000); state != AtHead {
			t.Errorf("state %v", state)
		}
	})
}

// TestPublishWaits lets a publisher wait until another goroutine has passed its entry, so that the
// subscribers have it when Broadcast returns.
func TestPublishWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		w.join(b)
		hold := make(chan struct{})
		b.hook = func(d *pubsub.Dispatch) { <-hold }
		list := w.append(3)
		for _, m := range list {
			go func() {
				w.tell(m)
				if b.count() < slices.Index(list, m)+1 {
					t.Error("Broadcast returned too early")
				}
			}()
			synctest.Wait()
		}
		b.want(t, list[0])
		close(hold)
		synctest.Wait()
		b.want(t, list...)
	})
}

// TestPublishBeyondHole does not wait for an entry that is missing.
func TestPublishBeyondHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		w.join(b)
		hold := make(chan struct{})
		b.hook = func(d *pubsub.Dispatch) { <-hold }
		list := w.append(4)
		go w.tell(list[0])
		synctest.Wait()
		begun := time.Now()
		w.tell(list[3])
		if d := time.Since(begun); d != 0 {
			t.Errorf("it took %v", d)
		}
		close(hold)
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(t, list...)
	})
}

// TestPublishWithin publishes in Deliver, which must not be done, and is not waited for without end.
func TestPublishWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		w.join(b)
		list := w.append(3)
		b.hook = func(d *pubsub.Dispatch) {
			if i := b.count(); i < len(list) {
				w.tell(list[i])
			}
		}
		begun := time.Now()
		w.tell(list[0])
		b.want(t, list...)
		if d := time.Since(begun); d != 2*passTime {
			t.Errorf("it took %v", d)
		}
	})
}

// TestTurn hands over to another goroutine when there is much to take.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1000, nil)
		defer w.close()
		b := new(box)
		w.join(b)
		list := w.append(3 * turn)
		for _, m := range list[1:] {
			w.tell(m)
		}
		b.hook = func(d *pubsub.Dispatch) {
			if b.count() > turn {
				time.Sleep(time.Millisecond)
			}
		}
		begun := time.Now()
		w.tell(list[0])
		if d := time.Since(begun); d != 0 {
			t.Errorf("the publisher was kept for %v", d)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(t, list...)
	})
}

// TestPanic gives an entry to all others in order when a subscriber panics, and says so.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		boxes := []*box{new(box), new(box), new(box), new(box)}
		for _, b := range boxes {
			w.join(b)
		}
		panics := func(*pubsub.Dispatch) { panic("on purpose") }
		boxes[0].hook, boxes[2].hook = panics, panics
		list := w.append(3)
		w.tell(list[1]) // waits in the chain
		w.tell(list[0])
		w.tell(list[2])
		for _, b := range boxes {
			b.want(t, list...)
		}
		w.list()[0].Deliver(&pubsub.Dispatch{Message: &pubsub.Message{Topic: "t", Event: "local"}})
		if n := w.book.Count(notice.DeliveryCrash); n != 8 {
			t.Errorf("%d notices", n)
		}
	})
}

// TestPanicInBroke tells all others that the log has broken.
func TestPanicInBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		told := 0
		for i := range 4 {
			w.Subscribe("t", &broken{do: func() {
				if told++; i%2 == 0 {
					panic("on purpose")
				}
			}})
		}
		synctest.Wait()
		w.tell(w.append(1)[0])
		w.store.cut("t", 1)
		w.Ask("t")
		synctest.Wait()
		if n := w.book.Count(notice.DeliveryCrash); told != 4 || n != 2 {
			t.Errorf("told %d, %d notices", told, n)
		}
	})
}

// broken is a subscriber that calls a function when the log breaks.
type broken struct{ do func() }

func (*broken) Deliver(*pubsub.Dispatch) {}
func (b *broken) Broke(Position)         { b.do() }

// TestUnsound keeps the chain of messages that cannot be sent, and says so.
func TestUnsound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *fakeAdapter
		w := newWorld(t, 100, withAdapter(nil, &a))
		defer w.close()
		b := new(box)
		s := w.join(b)
		list := w.append(6)
		list[1].Payload = []byte(`[1]`)
		list[2].Event = "phx_reply"
		list[4].Payload = []byte(`{"a":`)
		var events []string
		b.hook = func(d *pubsub.Dispatch) { events = append(events, d.Event) }
		a.receive(list[0], list[1], list[2])
		a.receive(list[5]) // 3 and 4 are read from the store
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(t, list...)
		if want := []string{"said", "", "", "said", "", "said"}; !slices.Equal(events, want) {
			t.Errorf("got %q", events)
		}
		got, _ := s.Next(Position{list[0].Place.Epoch, list[0].Place.Offset}, 1, 100)
		if got[0].Event != "" || len(got[0].Payload) != 0 {
			t.Errorf("got %q, %q", got[0].Event, got[0].Payload)
		}
		if n := w.book.Count(notice.HistoryUnsound); n != 3 {
			t.Errorf("%d notices", n)
		}
		bad := *list[5]
		bad.Place = &pubsub.Place{Epoch: bad.Place.Epoch, Offset: s.Head().Offset, Prev: s.Head().Offset}
		a.receive(&bad)
		if n := w.book.Count(notice.HistoryUnsound); n != 4 {
			t.Errorf("%d notices", n)
		}
	})
}
