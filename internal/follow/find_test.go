package follow

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

func positionOf(m *pubsub.Message) Position { return Position{m.Place.Epoch, m.Place.Offset} }

// TestFind looks for positions that are in memory, in the store alone, and nowhere.
func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 20, nil)
		defer w.close()
		before := w.append(25)
		s := w.join(new(box))
		list := w.append(5)
		w.tell(list...)
		ahead := w.append(2) // 13 of those before are kept
		epoch := s.Head().Epoch
		for _, tt := range []struct {
			name   string
			p      Position
			limit  int
			after  int
			reason Reason
			reads  int
		}{
			{"the head", s.Head(), 100, 0, "", 0},
			{"in the ring", positionOf(list[1]), 100, 3, "", 0},
			{"before the ring", positionOf(before[24]), 100, 5, "", 0},
			{"between entries", Position{epoch, list[3].Place.Offset - 1}, 100, 0, ReasonUnknown, 0},
			{"a limit", positionOf(list[0]), 2, 3, "", 0},
			{"in the store", positionOf(before[15]), 100, 14, "", 1},
			{"in the store, again", positionOf(before[17]), 100, 12, "", 0},
			{"the oldest place", positionOf(before[11]), 100, 18, "", 1},
			{"gone", positionOf(before[10]), 100, 0, ReasonExpired, 0},
			{"zero", Position{epoch, 0}, 100, 0, ReasonExpired, 0},
			{"another epoch", Position{"otherone", 7}, 100, 0, ReasonEpoch, 1},
			{"ahead", positionOf(ahead[0]), 100, 1, "", 0},
			{"far ahead", Position{epoch, 1 << 60}, 100, 0, ReasonUnknown, 1},
		} {
			reads := w.store.readCount()
			after, reason, err := s.Find(t.Context(), tt.p, tt.limit)
			if after != tt.after || reason != tt.reason || err != nil {
				t.Errorf("%s: %d after, %q, %v", tt.name, after, reason, err)
			}
			if n := w.store.readCount() - reads; n > tt.reads {
				t.Errorf("%s: %d reads", tt.name, n)
			}
		}
	})
}

// TestFindAhead finds a position whose entry waits in the chain or is in the store alone.
func TestFindAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 20, nil)
		defer w.close()
		b := new(box)
		s := w.join(b)
		list := w.append(4)
		for i, tell := range []int{0, 3} {
			w.tell(list[i])
			if after, reason, err := s.Find(t.Context(), positionOf(list[tell]), 9); reason != "" || after != 0 && tell == 3 || err != nil {
				t.Errorf("%d: %d after, %q, %v", tell, after, reason, err)
			}
		}
		b.want(t, list...)
	})
}

// TestFindElsewhere finds a position of the log that another node has begun, of which this one has not
// heard.
func TestFindElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 20, nil)
		defer w.close()
		s := w.join(new(box))
		w.tell(w.append(3)...)
		old := s.Head()
		_ = w.store.Rotate(t.Context(), "t", old.Epoch)
		list := w.append(3)
		if after, reason, err := s.Find(t.Context(), positionOf(list[1]), 9); after != 1 || reason != "" || err != nil {
			t.Errorf("%d after, %q, %v", after, reason, err)
		}
		if _, reason, err := s.Find(t.Context(), old, 9); reason != ReasonEpoch || err != nil {
			t.Errorf("the old head: %q, %v", reason, err)
		}
	})
}

// TestFindWaits waits for the store no longer than its context.
func TestFindWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 20, nil)
		defer w.close()
		list := w.append(9)
		s := w.join(new(box))
		w.store.fail = func() error { return errAway }
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
		defer cancel()
		begun := time.Now()
		if _, _, err := s.Find(ctx, positionOf(list[3]), 9); !errors.Is(err, why) || time.Since(begun) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if _, err := s.Back(ctx, 3); !errors.Is(err, why) {
			t.Error(err)
		}
	})
}

// TestBack goes back from the head, in memory and in the store.
func TestBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 20, nil)
		defer w.close()
		before := w.append(10)
		s := w.join(new(box))
		list := w.append(5)
		w.tell(list...)
		all := append(before, list...)
		newest := 0
		for _, tt := range []struct{ n, want, newest int }{
			{0, 15, 0}, {1, 14, 0}, {5, 10, 0}, {6, 9, 1}, {6, 9, 0}, {14, 1, 1}, {15, 0, 1}, {16, 0, 0}, {1000, 0, 0},
		} {
			want := Position{Epoch: s.Head().Epoch}
			if tt.want > 0 {
				want = positionOf(all[tt.want-1])
			}
			got, err := s.Back(t.Context(), tt.n)
			if got != want || err != nil {
				t.Errorf("%d: got %v, %v, want %v", tt.n, got, err, want)
			}
			if n := w.store.newest - newest; n != tt.newest {
				t.Errorf("%d: %d reads", tt.n, n)
			}
			newest = w.store.newest
			if entries, state := s.Next(got, 100, 1<<20); len(entries) != 15-tt.want || tt.want == 15 && state != AtHead {
				t.Errorf("%d: %d entries follow, state %v", tt.n, len(entries), state)
			}
		}
	})
}

// TestBackEmpty goes back in a topic without entries.
func TestBackEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 20, nil)
		defer w.close()
		s := w.join(new(box))
		if p, err := s.Back(t.Context(), 3); p != (Position{}) || err != nil {
			t.Errorf("%v, %v", p, err)
		}
	})
}
