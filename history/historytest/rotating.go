package historytest

import (
	"sync"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
)

// rotateEpochs checks that Rotate forgets the log and begins a new epoch, if the epoch is the current one.
//
// Each node that finds the log broken rotates it. The second one must not end the epoch that the first has
// begun, or clients would be told twice that they have lost messages, and lose those in between.
func rotateEpochs(s *suite) {
	st := s.open()
	old := s.fill(st, "t", "b", 1, 10, history.AppendOptions{})
	other := s.append(st, "u", entry("b", 1), history.AppendOptions{})
	elsewhere := "aaaaaaaa"
	if old[0].Epoch == elsewhere {
		elsewhere = "bbbbbbbb"
	}
	// Epochs that are not the current one, such as that of a node that is late.
	s.rotate(st, "t", elsewhere)
	s.rotate(st, "t", "")
	s.kept(st, plenty, old, 10)
	s.rotate(st, "t", old[0].Epoch)
	if h := s.head(st, "t"); h.Epoch == old[0].Epoch || h.Offset != 0 {
		s.Errorf("the head is %+v after Rotate of epoch %q; the log is forgotten", h, old[0].Epoch)
	}
	// An empty log has the place 0, from which a reader goes on. Every place of before is gone for good,
	// also when the new log has an entry with the same offset: the epoch tells them apart.
	s.known(st, "t", plenty, 0, true, "the place 0 after Rotate")
	for _, p := range old {
		s.known(st, "t", plenty, p.Offset, false, "a place before Rotate")
	}
	if h := s.head(st, "u"); h != *headOf(other) {
		s.Errorf("another topic has the head %+v, want %+v", h, other)
	}
	first := s.append(st, "t", entry("b", 11), history.AppendOptions{})
	if !follow.ValidEpoch(first.Epoch) || first.Epoch == old[0].Epoch || first.Prev != 0 || first.Doubled {
		s.Errorf("the first place after Rotate of epoch %q is %+v; a new epoch begins", old[0].Epoch, first)
	}
	// A second node that has found the same does not end the new epoch.
	s.rotate(st, "t", old[0].Epoch)
	second := s.append(st, "t", entry("b", 12), history.AppendOptions{})
	if second.Epoch != first.Epoch || second.Prev != first.Offset {
		s.Errorf("%+v after %+v; Rotate of an old epoch does nothing", second, first)
	}
	if list := s.all(st, "t", 0, history.ReadOptions{}); len(list) != 2 {
		s.Errorf("%d entries, want the 2 after Rotate", len(list))
	}
	// A topic without a log is not an error.
	s.rotate(st, "none", old[0].Epoch)
}

// rotateAtOnce checks that one new epoch begins when several nodes rotate at the same time, while others
// append. After a failover this is what happens: all nodes find the broken log within a second.
func rotateAtOnce(s *suite) {
	a, b := s.open(), s.open()
	old := s.append(a, "t", entry("first", 1), history.AppendOptions{})
	var all sync.WaitGroup
	epochs := make([]string, 16)
	for i := range epochs[:8] {
		all.Go(func() {
			st := []history.Store{a, b}[i%2]
			for n := range 2 { // the second time, there is something to lose
				ctx, cancel := patient()
				if err := st.Rotate(ctx, "t", old.Epoch); err != nil {
					s.Errorf("Rotate: %v", err)
				}
				cancel()
				p, err := try(st, "t", entry(string(rune('a'+i)), uint64(n+1)), history.AppendOptions{})
				if err != nil {
					s.Errorf("Append: %v", err)
				}
				epochs[2*i+n] = p.Epoch
			}
		})
	}
	all.Wait()
	for _, epoch := range epochs {
		if epoch == old.Epoch || epoch != epochs[0] {
			s.Errorf("after Rotate of %q by several nodes, their epochs are %q, want one", old.Epoch, epochs)
			return
		}
	}
	if list := s.all(a, "t", 0, history.ReadOptions{}); len(list) != len(epochs) {
		s.Errorf("%d entries, want the %d after Rotate", len(list), len(epochs))
	}
}

// rotateBegins checks that Rotate of the epoch "" begins one log of a topic that has none, when several
// nodes do so, and that entries go on in it. A client that joins before the first message gets a position by
// this, without which it would miss that message if it was cut.
func rotateBegins(s *suite) {
	a, b := s.open(), s.open()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			ctx, cancel := patient()
			defer cancel()
			if err := []history.Store{a, b}[i%2].Rotate(ctx, "t", ""); err != nil {
				s.Errorf("Rotate: %v", err)
			}
		})
	}
	all.Wait()
	begun := s.head(a, "t")
	if !follow.ValidEpoch(begun.Epoch) || begun.Offset != 0 {
		s.Errorf("the head is %+v after Rotate of a topic without a log; a log begins", begun)
	}
	s.known(a, "t", plenty, 0, true, "the place 0 of a log without entries")
	s.rotate(b, "t", "")
	if first := s.append(b, "t", entry("b", 1), history.AppendOptions{}); first.Epoch != begun.Epoch || first.Prev != 0 {
		s.Errorf("the first entry is at %+v, and its log began with %+v", first, begun)
	}
	if list := s.all(a, "t", 0, history.ReadOptions{}); len(list) != 1 {
		s.Errorf("%d entries, want 1", len(list))
	}
}
