package tracker

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
)

// stalled returns a shard of a tracker whose tell does not return, and whose state handles no messages.
func stalled(t *testing.T) *shard {
	t.Helper()
	stop, called := make(chan struct{}), make(chan struct{})
	tr, err := Start(t.Context(), pubsub.NewLocal(), Options{Logger: slog.New(slog.DiscardHandler)}, func(*Tracker, Diff) {
		select {
		case <-called:
		default:
			close(called)
		}
		<-stop
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(stop); tr.Close() })
	if _, err := tr.Track("t", 1, "first", nil); err != nil {
		t.Fatal(err)
	}
	<-called
	return tr.shards[0]
}

// TestChangesThatWait checks the memory of changes while tell does not return: it depends on the number of
// different entries, not on the number of changes.
func TestChangesThatWait(t *testing.T) {
	s := stalled(t)
	for i := range 3 * foldAfter {
		if _, err := s.t.Track("t", 2, fmt.Sprint(i), nil); err != nil {
			t.Fatal(err)
		}
		s.t.Untrack("t", 2, fmt.Sprint(i))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := 0
	for _, d := range s.diffs {
		kept += len(d.Joins) + len(d.Leaves)
	}
	if kept > foldAfter+2 {
		t.Errorf("%d entries are kept of nobody who is here", kept)
	}
}

// TestInboxBytes checks that waiting messages are bounded by the memory that they take.
func TestInboxBytes(t *testing.T) {
	s := stalled(t)
	s.mu.Lock() // so that run takes one message at most
	defer s.mu.Unlock()
	m := &message{kind: answer, from: replica{"other", 1}, deltas: []delta{{values: make([]value, 40_000)}}}
	taken := 0
	most := inboxBytes/int(m.memory(0)) + 2
	for range most + 10 {
		if s.receive(m, 0) {
			taken++
		}
	}
	if taken > most {
		t.Errorf("%d messages of %d bytes wait, want %d at most", taken, m.memory(0), most)
	}
	big := &message{kind: answer, from: replica{"other", 1}, deltas: []delta{{values: make([]value, 400_000)}}}
	alone := &shard{t: s.t, inbox: make(chan received, 1)}
	if !alone.receive(big, 0) {
		t.Error("a large message that comes alone is refused")
	}
}
