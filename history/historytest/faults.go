package historytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
)

// faultContexts checks calls whose context has ended, or ends meanwhile: an append that returns
// ErrUnavailable was not made, and the store goes on.
//
// The difference between ErrUnavailable and ErrUnknown is what a program decides by. After ErrUnavailable
// it may publish the message again without a key, so an append that was sent already must not be called
// that.
func faultContexts(s *suite) {
	st := s.open()
	s.append(st, "t", entry("b", 1), history.AppendOptions{})
	// The contexts end sooner or later than a call takes, so that some end before it was sent, and some
	// while the answer is under way. The second try of each must fit to what the first one has said.
	for n := uint64(2); n <= 40; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n)*20*time.Microsecond)
		if n < 6 {
			cancel() // before the call
		}
		e := entry("b", n)
		p, err := st.Append(ctx, "t", e, &history.AppendOptions{Keep: plenty})
		cancel()
		again := s.append(st, "t", e, history.AppendOptions{})
		switch {
		case err == nil:
			s.doubled("an entry that was appended in time", again, p)
		case errors.Is(err, history.ErrUnavailable) && errors.Is(err, history.ErrUnknown):
			s.Errorf("the error %v is both ErrUnavailable and ErrUnknown", err)
		case errors.Is(err, history.ErrUnavailable):
			if again.Doubled {
				s.Errorf("%v, and the entry was appended: %+v; ErrUnavailable means that it was not", err, again)
			}
		case !errors.Is(err, history.ErrUnknown):
			s.Errorf("an append whose context ended: %v, want ErrUnavailable or ErrUnknown", err)
		}
	}
	// Other calls may succeed all the same, if the store does not look at the context. Their errors must
	// be of the same kinds, by which nodes decide whether to ask again.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, readErr := st.Read(ctx, "t", 0, &history.ReadOptions{Keep: plenty, Entries: 1, Bytes: 1})
	_, headErr := st.Heads(ctx, []string{"t"})
	for _, err := range []error{readErr, headErr, st.Rotate(ctx, "t", "aaaaaaaa")} {
		if err != nil && !errors.Is(err, history.ErrUnavailable) && !errors.Is(err, history.ErrUnknown) {
			s.Errorf("a call with a context that has ended: %v, want ErrUnavailable or ErrUnknown", err)
		}
	}
	s.numbered(st, "t", "b", 40)
}

// numbered checks that a log has the numbers of a boot from 1 to n, each once and in order, perhaps
// between those of others. A number that is missing is a message that was acknowledged and lost.
func (s *suite) numbered(st history.Store, topic, boot string, n uint64) {
	s.Helper()
	next := uint64(1)
	for _, e := range s.all(st, topic, 0, history.ReadOptions{}) {
		if e.Boot != boot {
			continue
		}
		if e.Number != next {
			s.Fatalf("number %d of %q, want %d: each is appended once, in order", e.Number, boot, next)
		}
		next++
	}
	if next != n+1 {
		s.Errorf("%d numbers of %q, want %d", next-1, boot, n)
	}
}

// insist appends an entry, again and again until the store has it, as a node does. What the store says of
// failed tries must be true: if the entry was there before the last try, an earlier one must have said
// ErrUnknown. It reports whether the entry is there; otherwise the check has failed.
func (s *suite) insist(st history.Store, topic string, e *history.Entry, key string) bool {
	unknown := false // a try has said so, hence a later one may find the entry of that one
	for began := time.Now(); ; {
		// Long enough for a store that connects again, and short enough for several tries.
		ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience/3)
		p, err := st.Append(ctx, topic, e, &history.AppendOptions{Keep: plenty, Key: key})
		cancel()
		switch {
		case err == nil && p.Doubled && !unknown:
			s.Errorf("number %d of %q was appended before, and no try has said ErrUnknown", e.Number, e.Boot)
			return false
		case err == nil:
			return true
		case errors.Is(err, history.ErrUnknown):
			unknown = true
		case !errors.Is(err, history.ErrUnavailable):
			s.Errorf("Append: %v, want ErrUnavailable or ErrUnknown", err)
			return false
		}
		if time.Since(began) > waittest.Patience {
			s.Errorf("the store is not back: %v", err)
			return false
		}
		time.Sleep(time.Millisecond) // let the store connect
	}
}

// faultLostAnswers cuts connections while 8 boots append, each of which tries again until it succeeds.
// Every entry must be there once. Half of the boots give keys, too.
//
// This is what a restart of a broker or of a proxy does. Entries must also keep their order for each
// boot, since a boot begins an append only when the one before it has succeeded.
func faultLostAnswers(s *suite) {
	if s.Cut == nil {
		s.Skipf("Harness.Cut is nil")
	}
	stores := []history.Store{s.open(), s.open()}
	// Each boot appends 5 entries in a round, and each round has one cut.
	const each, rounds = 60, 12
	var all sync.WaitGroup
	start := make([]chan struct{}, rounds)
	for i := range start {
		start[i] = make(chan struct{})
	}
	var ready sync.WaitGroup
	ready.Add(writers)
	for i := range writers {
		all.Go(func() {
			boot := fmt.Sprint("boot", i)
			ready.Done()
			for n := uint64(1); n <= each; n++ {
				if n%5 == 1 {
					<-start[n/5] // so that each cut meets appends under way
				}
				key := ""
				if i%2 == 0 {
					key = fmt.Sprint(boot, " ", n)
				}
				if !s.insist(stores[i%2], "t", entry(boot, n), key) {
					return
				}
			}
		})
	}
	ready.Wait()
	for i := range start {
		close(start[i])
		time.Sleep(time.Duration(i) * 100 * time.Microsecond) // it does not matter how long
		s.Cut()
	}
	all.Wait()
	if s.Failed() {
		return
	}
	for i := range writers {
		s.numbered(stores[0], "t", fmt.Sprint("boot", i), each)
	}
	if list := s.all(stores[1], "t", 0, history.ReadOptions{}); len(list) != writers*each {
		s.Errorf("%d entries, want %d", len(list), writers*each)
	}
}

// closeRefused checks that a store that is closed refuses, and can be closed again. A node that shuts
// down may still have publishes under way: they must end, with an error that says that nothing was done.
func closeRefused(s *suite) {
	st := s.open()
	s.append(st, "t", entry("b", 1), history.AppendOptions{})
	ctx, cancel := patient()
	defer cancel()
	if err := st.Close(ctx); err != nil {
		s.Errorf("Close: %v", err)
	}
	// The suite closes the store once more at the end of the check, which must be no error.
	_, appendErr := try(st, "t", entry("b", 2), history.AppendOptions{})
	_, readErr := st.Read(ctx, "t", 0, &history.ReadOptions{Keep: plenty, Entries: 1, Bytes: 1})
	_, headErr := st.Heads(ctx, []string{"t"})
	for _, err := range []error{appendErr, readErr, headErr, st.Rotate(ctx, "t", "aaaaaaaa")} {
		if !errors.Is(err, history.ErrUnavailable) {
			s.Errorf("after Close: %v, want ErrUnavailable", err)
		}
	}
}
