package follow

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// TestBroke begins a new epoch when the store has lost what this node has, and tells the subscribers.
func TestBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		list := w.append(5)
		w.tell(list...)
		was := s.Head()
		w.store.cut("t", 2)
		more := w.append(1)
		w.tell(more...) // another entry, whose Prev is not the head
		time.Sleep(time.Second)
		synctest.Wait()
		if len(b.broke) != 1 || b.broke[0] != s.Head() || s.Head().Epoch == was.Epoch {
			t.Fatalf("broke %v, head %v, was %v", b.broke, s.Head(), was)
		}
		if _, reason, err := s.Find(t.Context(), was, 100); reason != ReasonEpoch || err != nil {
			t.Errorf("the old position: %q, %v", reason, err)
		}
		if _, state := s.Next(was, 1, 1); state != Gone {
			t.Errorf("state %v", state)
		}
		b.offsets = nil
		next := w.append(3)
		w.tell(next...)
		b.want(t, next...)
		if n := w.Stats().Rotations; n != 1 || b.gaps != 0 || w.book.Count(notice.HistoryBroke) != 1 {
			t.Errorf("%d rotations, %d gaps", n, b.gaps)
		}
	})
}

// TestBrokeElsewhere goes on in the epoch that another node has begun.
func TestBrokeElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		w.tell(w.append(3)...)
		_ = w.store.Rotate(t.Context(), "t", s.Head().Epoch)
		b.offsets = nil
		list := w.append(3)
		w.tell(list[0], list[1])
		time.Sleep(time.Second)
		synctest.Wait()
		w.tell(list[2])
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.broke) != 1 || b.last.Offset != list[2].Place.Offset || b.gaps != 0 || w.store.epochs != 2 {
			t.Errorf("broke %v, last %v, %d gaps, %d epochs", b.broke, b.last, b.gaps, w.store.epochs)
		}
	})
}

// TestOutlived leaves the epoch as it is when this node was away for longer than the log reaches back:
// others may have all of it.
func TestOutlived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		w.tell(w.append(3)...)
		was := s.Head()
		list := w.append(20)
		time.Sleep(time.Minute)
		synctest.Wait()
		top := list[len(list)-1].Place
		if len(b.broke) != 1 || b.broke[0] != (Position{was.Epoch, top.Offset}) || w.store.epochs != 1 {
			t.Errorf("broke %v, %d epochs", b.broke, w.store.epochs)
		}
		if _, reason, _ := s.Find(t.Context(), was, 100); reason != ReasonExpired {
			t.Errorf("reason %q", reason)
		}
		more := w.append(1)
		w.tell(more...)
		if b.last.Offset != more[0].Place.Offset || b.gaps != 0 {
			t.Errorf("last %v, %d gaps", b.last, b.gaps)
		}
	})
}

// TestForgotten begins a log when the store has forgotten the topic.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		w.tell(w.append(3)...)
		w.store.mu.Lock()
		clear(w.store.logs)
		w.store.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(b.broke) != 1 || b.broke[0].Epoch == "" || b.broke[0] != s.Head() {
			t.Errorf("broke %v, head %v", b.broke, s.Head())
		}
	})
}

// TestBrokeOrder tells nobody of a break between two entries that follow each other, and takes what
// comes meanwhile.
func TestBrokeOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		b := new(box)
		w.join(b)
		old := w.append(3)
		w.tell(old[0])
		var next []*pubsub.Message
		b.hook = func(d *pubsub.Dispatch) {
			if d.Message.Place.Offset == old[1].Place.Offset { // the log breaks while this is delivered
				w.store.cut("t", 3)
				next = w.append(3)
				go w.tell(next...)
				time.Sleep(time.Second)
				synctest.Wait()
			}
		}
		w.tell(old[1], old[2])
		time.Sleep(time.Minute)
		synctest.Wait()
		more := w.append(2)
		w.tell(more...)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.gaps != 0 || len(b.broke) != 1 {
			t.Errorf("%d gaps, broke %v", b.gaps, b.broke)
		}
		if b.last.Offset != more[1].Place.Offset || !slices.Contains(b.offsets, more[0].Place.Offset) {
			t.Errorf("last %v", b.last)
		}
	})
}
