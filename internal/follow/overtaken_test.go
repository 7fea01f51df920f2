package follow

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestOvertakenRepair has a read of what follows the head overtaken by so many entries that the store keeps
// none of those which it was asked for. The log is whole, and no entry may come twice.
func TestOvertakenRepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		list := w.append(1)
		w.tell(list...)
		var once sync.Once
		w.store.fail = func() error { // the entries come after the head was noted, and before the answer
			once.Do(func() {
				for range 10 {
					more := w.append(1)
					list = append(list, more...)
					w.tell(more...)
				}
				for range 2 { // of another node, which is slower
					list = append(list, w.append(1)...)
				}
			})
			return nil
		}
		s.follower.mu.Lock()
		s.follower.repairNow(nil)
		s.follower.mu.Unlock()
		synctest.Wait()
		w.tell(list[len(list)-2:]...)
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(t, list...)
		if n := w.Stats().Rotations; n > 0 || len(b.broke) > 0 {
			t.Errorf("%d rotations, broke %v", n, b.broke)
		}
	})
}

// TestOvertakenAnswer is the same with an answer from before the last entries.
func TestOvertakenAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		list := w.append(1)
		w.tell(list...)
		var once sync.Once
		src := w.o.Source
		w.o.Source = &after{src, func() {
			once.Do(func() {
				more := w.append(3)
				list = append(list, more...)
				w.tell(more...)
			})
		}}
		w.store.fail = func() error {
			w.store.fail = nil
			for range 10 {
				more := w.append(1)
				list = append(list, more...)
				w.tell(more...)
			}
			return nil
		}
		s.follower.mu.Lock()
		s.follower.repairNow(nil)
		s.follower.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		more := w.append(1)
		list = append(list, more...)
		w.tell(more...)
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(t, list...)
	})
}

// after is a Source that calls a function after each Read.
type after struct {
	Source
	do func()
}

func (a *after) Read(ctx context.Context, topic string, after uint64, entries, bytes int) (Page, error) {
	p, err := a.Source.Read(ctx, topic, after, entries, bytes)
	a.do()
	return p, err
}

// TestNewLog gives subscribers all messages of a log that has begun anew, also those that have come
// before this node has heard of it.
func TestNewLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, nil)
		defer w.close()
		b := new(box)
		w.join(b)
		list := w.append(1)
		w.tell(list...)
		if err := w.store.Rotate(t.Context(), "t", list[0].Place.Epoch); err != nil {
			t.Fatal(err)
		}
		more := w.append(3)
		w.tell(more...)
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(t, append(list, more...)...)
	})
}
