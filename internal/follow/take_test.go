package follow

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
