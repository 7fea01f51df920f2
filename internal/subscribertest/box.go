// Package subscribertest holds a subscriber for tests.
package subscribertest

import (
	"slices"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// Box is a subscriber that keeps what it gets. The zero value is empty. All methods may be
// called from any goroutine.
type Box struct {
	mu       sync.Mutex
	messages []*pubsub.Message
	gaps     int
}

// Deliver implements pubsub.Subscriber.
func (b *Box) Deliver(d *pubsub.Dispatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, d.Message)
}

// Gap implements pubsub.GapSubscriber.
func (b *Box) Gap(string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gaps++
}

// Messages returns what came, in order.
func (b *Box) Messages() []*pubsub.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.messages)
}

// Events returns the events of the messages.
func (b *Box) Events() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]string, len(b.messages))
	for i, m := range b.messages {
		list[i] = m.Event
	}
	return list
}

// Count returns how many messages came.
func (b *Box) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.messages)
}

// Gaps returns how often the subscriber was told of a gap.
func (b *Box) Gaps() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gaps
}

// Want waits until as many messages have come as there are events. The test fails when
// others have come.
func (b *Box) Want(t testing.TB, what string, events ...string) {
	t.Helper()
	waittest.Within(waittest.Patience, func() bool { return b.Count() >= len(events) })
	if got := b.Events(); !slices.Equal(got, events) {
		t.Fatalf("%s: got %q and %d gaps, want %q", what, got, b.Gaps(), events)
	}
}
