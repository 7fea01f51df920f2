package follow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStart asks for the head when the interest is ready, and not before. What comes meanwhile is not
// lost.
func TestStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *fakeAdapter
		ready := make(chan struct{})
		w := newWorld(t, 100, withAdapter(ready, &a))
		defer w.close()
		old := w.append(3)
		b := new(box)
		s := w.Subscribe("t", b)
		a.receive(old[2])
		time.Sleep(time.Hour)
		synctest.Wait()
		if s.Ready() == nil || w.store.heads != 0 || b.count() != 0 {
			t.Fatalf("%d questions, %d entries", w.store.heads, b.count())
		}
		asking := make(chan struct{})
		w.store.fail = func() error { <-asking; return nil }
		close(ready)
		synctest.Wait()
		list := w.append(4) // appended before the store looks, and told
		a.receive(list[0], list[2])
		b.last = positionOf(list[1])
		go func() { asking <- struct{}{} }()
		synctest.Wait()
		w.store.fail = nil
		if s.Ready() != nil || s.Head() != positionOf(list[3]) {
			t.Fatalf("head %v, want %v", s.Head(), positionOf(list[3]))
		}
		b.last = s.Head()
		more := w.append(2)
		a.receive(more[1], more[0])
		b.want(t, more...)
	})
}

// TestBegin begins the log of a topic without one, as soon as the store answers.
func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		s := w.Subscribe("t", new(box))
		synctest.Wait()
		var back atomic.Bool
		w.store.fail = func() error {
			if back.Load() {
				return nil
			}
			return errAway
		}
		begun := make(chan error, 2)
		for range cap(begun) {
			go func() { begun <- s.Begin(t.Context()) }()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(begun) > 0 {
			t.Fatal("Begin has returned while the store was away")
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Begin(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Begin with a context that ends: %v", err)
		}
		back.Store(true)
		for range cap(begun) {
			if err := <-begun; err != nil {
				t.Error(err)
			}
		}
		if s.Head().Epoch == "" || w.store.epochs != 1 {
			t.Errorf("the head is %v, after %d epochs", s.Head(), w.store.epochs)
		}
	})
}

// TestStarts asks for many heads in few calls.
func TestStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		w.store.fail = func() error { time.Sleep(10 * time.Millisecond); return nil }
		for i := range 5000 {
			w.Subscribe(fmt.Sprint("t", i), new(box))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, f := range w.list() {
			if !f.started {
				t.Fatal("a follower has not started")
			}
		}
		if n := len(w.store.calls); n > 20 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestLinger keeps a follower for a while after its last subscription.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *fakeAdapter
		w := newWorld(t, 100, withAdapter(nil, &a))
		defer w.close()
		defer w.ps.Close(t.Context())
		s := w.join(new(box))
		list := w.append(2)
		s.Cancel()
		s.Cancel()
		a.receive(list[0])
		time.Sleep(9 * time.Second)
		synctest.Wait()
		s = w.Subscribe("t", new(box))
		if s.Ready() != nil || s.Head() != positionOf(list[0]) {
			t.Error("the follower has not lingered")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if w.Stats().Topics != 1 {
			t.Error("it has ended with a subscription")
		}
		s.Cancel()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if s := w.Stats(); s.Topics != 0 || s.Entries != 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if a.interested("t") {
			t.Error("the interest has not ended")
		}
		s = w.join(new(box))
		if s.Head() != positionOf(list[1]) {
			t.Errorf("head %v", s.Head())
		}
	})
}

// TestClose ends what waits.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *fakeAdapter
		ready := make(chan struct{})
		w := newWorld(t, 100, withAdapter(ready, &a))
		b := new(box)
		s := w.Subscribe("t", b)
		var tasks sync.WaitGroup
		tasks.Go(func() {
			if _, _, err := s.Find(t.Context(), Position{"epoch001", 5}, 9); !errors.Is(err, errClosed) {
				t.Error(err)
			}
		})
		s.Fill(Position{"epoch001", 5}, func() { t.Error("done was called") })
		synctest.Wait()
		w.close()
		tasks.Wait()
		w.tell(w.append(1)...)
		late := w.Subscribe("t", b)
		late.Fill(Position{"epoch001", 5}, func() { t.Error("done was called") })
		late.Cancel()
		s.Cancel()
		w.close()
		if b.count() != 0 {
			t.Error("an entry came after Close")
		}
	})
}

// TestCloseWaits waits for the Source as long as its context allows.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		hold := make(chan struct{})
		w.store.fail = func() error { <-hold; return errAway }
		w.Subscribe("t", new(box))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(hold)
		w.close()
	})
}

// TestChurn subscribes, cancels, publishes and looks for positions all at once.
func TestChurn(t *testing.T) {
	w := newWorld(t, 200, func(o *Options) { o.Check, o.Linger = 20*time.Millisecond, 2*time.Millisecond })
	var tasks sync.WaitGroup
	var stop atomic.Bool
	for i := range 4 {
		tasks.Go(func() {
			for n := range 500 {
				m := w.store.append("t", `{"n":1}`)
				if (n+i)%5 != 0 { // else it is lost
					w.tell(m)
				}
			}
			stop.Store(true)
		})
	}
	for range 8 {
		tasks.Go(func() {
			for !stop.Load() {
				churn(t, w)
			}
		})
	}
	tasks.Wait()
	w.close()
}

// churn is the life of one subscription.
func churn(t *testing.T, w *world) {
	b := new(box)
	s := w.Subscribe("t", b)
	defer s.Cancel()
	ctx := t.Context()
	if err := s.begun(ctx); err != nil {
		t.Error(err)
		return
	}
	p, err := s.Back(ctx, rand.IntN(50))
	if err != nil {
		t.Error(err)
		return
	}
	if _, reason, err := s.Find(ctx, p, 100); err != nil || reason != "" && reason != ReasonExpired {
		t.Errorf("%v: %q, %v", p, reason, err)
		return
	}
	list, _ := s.Next(p, 30, 1<<20)
	for i, e := range list {
		if i > 0 && e.Place.Prev != list[i-1].Place.Offset {
			t.Error("a hole")
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gaps > 1 { // the first entry follows what came before
		t.Errorf("%d gaps", b.gaps)
	}
}

// gapBox is a box that counts gaps.
type gapBox struct {
	box
	told atomic.Int64
}

func (b *gapBox) Gap(string) { b.told.Add(1) }

// TestClosed ends the wait for a head when the followers are closed, and tells subscribers that nothing
// comes any more.
func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		live := new(gapBox)
		w.Subscribe("live", live)
		synctest.Wait()
		away := make(chan struct{})
		w.store.fail = func() error { <-away; return errAway }
		waits := w.Subscribe("t", new(box))
		errs := make(chan error, 3)
		go func() { errs <- waits.Begin(t.Context()) }()
		ready := waits.Ready()
		synctest.Wait()
		go w.close()
		synctest.Wait()
		<-ready
		close(away)
		synctest.Wait()
		late := w.Subscribe("late", new(box))
		for what, s := range map[string]*Subscription{"one that waited": waits, "a late one": late} {
			if s.Ready() != nil || !s.Closed() {
				t.Errorf("%s waits", what)
			}
			_, _, err := s.Find(t.Context(), Position{"epoch001", 1}, 10)
			if _, back := s.Back(t.Context(), 3); !errors.Is(err, errClosed) || !errors.Is(back, errClosed) {
				t.Errorf("%s: %v, %v", what, err, back)
			}
		}
		if err := <-errs; !errors.Is(err, errClosed) {
			t.Error(err)
		}
		if n := live.told.Load(); n != 1 {
			t.Errorf("told %d gaps", n)
		}
	})
}
