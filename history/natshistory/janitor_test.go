package natshistory

import (
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
)

// TestJanitor has topics that are old. Those that nobody follows are removed.
func TestJanitor(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s := open(t, b.url(), nil)
	soon := history.Keep{Size: 10, Bytes: 1 << 20, Age: time.Millisecond}
	places := make(map[string]history.Place)
	for _, topic := range []string{"followed", "left"} {
		var err error
		if places[topic], err = s.Append(patient(t), topic, entry("a", 1), &history.AppendOptions{Keep: soon}); err != nil {
			t.Fatal(err)
		}
	}
	stays := put(t, s, "hour", entry("a", 1)) // ten hours
	s.leastLife = time.Minute
	if err := s.clean(patient(t)); err != nil {
		t.Fatal(err)
	}
	if h := head(t, s, "left"); h.Offset != places["left"].Offset {
		t.Fatalf("a topic that is not old was removed; the head is %+v", h)
	}
	s.leastLife = time.Millisecond
	// Another round so soon does nothing.
	if mine, err := s.claim(patient(t)); mine || err != nil {
		t.Errorf("a second claim: %t, %v", mine, err)
	}
	subject := logSubject(s.Prefix, "left")
	waittest.Until(t, "the topic is old", func() bool {
		s.leastLife = time.Hour // so that followed is marked for long, when it is
		r, err := s.newest(patient(t), subject)
		if err != nil {
			t.Fatal(err)
		}
		return s.clock.now().Sub(r.time) > 10*time.Millisecond
	})
	s.leastLife = 2 * time.Millisecond
	head(t, s, "followed") // marks it
	s.leastLife = 5 * time.Millisecond
	waittest.Until(t, "the old topic is removed", func() bool {
		if err := s.cleanSome(patient(t), []string{subject, logSubject(s.Prefix, "hour")}); err != nil {
			t.Fatal(err)
		}
		return head(t, s, "left") == history.Head{}
	})
	mark, err := s.newest(patient(t), markOf(s.Prefix, logSubject(s.Prefix, "followed")))
	if err != nil || mark == nil {
		t.Errorf("the topic that is followed has the mark %v, %v", mark, err)
	}
	s.leastLife = time.Hour
	if err := s.cleanSome(patient(t), []string{logSubject(s.Prefix, "followed")}); err != nil {
		t.Fatal(err)
	}
	if h := head(t, s, "followed"); h.Offset != places["followed"].Offset {
		t.Errorf("the topic that is followed has the head %+v", h)
	}
	if h := head(t, s, "hour"); h.Offset != stays.Offset {
		t.Errorf("the topic of an hour has the head %+v", h)
	}
	next := put(t, s, "left", entry("a", 2))
	if next.Epoch == places["left"].Epoch || next.Prev != 0 {
		t.Errorf("%+v after a removal, before which %+v was", next, places["left"])
	}
}
