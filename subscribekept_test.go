package bennu_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
)

// hears subscribes to a topic, and returns a function that wants the next broadcast.
func (k *keeping) hears(t *testing.T, topic string) (next func()) {
	got := make(chan bennu.Broadcast, 16)
	k.Subscribe(topic, func(_ context.Context, b bennu.Broadcast) { got <- b })
	return func() {
		t.Helper()
		select {
		case <-got:
		case <-time.After(waittest.Patience):
			t.Fatalf("nothing on %s", topic)
		}
	}
}

// TestSubscribeKeptAtOnce broadcasts right after Subscribe has returned, before or while the store tells
// the head of the topic.
func TestSubscribeKeptAtOnce(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil)
	for i := range 200 {
		topic := fmt.Sprint("t", i)
		next := s.hears(t, topic)
		s.say(t, topic, "said", nil)
		next()
	}
}

// TestEraseThenBroadcast broadcasts right after Erase has returned.
func TestEraseThenBroadcast(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil)
	next := s.hears(t, "t")
	for range 50 {
		s.say(t, "t", "said", nil)
		next()
		if err := s.log.Erase(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		s.say(t, "t", "said", nil)
		next()
	}
}
