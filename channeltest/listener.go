package channeltest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
)

// A Listener receives the broadcasts on a topic on the side of the server: also those that channels
// intercept, and whether or not a client has joined.
type Listener struct {
	endpoint *Endpoint
	topic    string
	inbox    inbox
}

// Listen subscribes to a topic until the test ends. Broadcasts before the call are not received.
func (e *Endpoint) Listen(t testing.TB, topic string) *Listener {
	t.Helper()
	l := &Listener{endpoint: e, topic: topic}
	sub := e.PubSub().Subscribe(topic, (*subscriber)(l))
	t.Cleanup(sub.Cancel)
	return l
}

// ExpectBroadcast waits for the next broadcast with this event and ends the test if its payload is not
// want, as Channel.ExpectPush does for pushes.
func (l *Listener) ExpectBroadcast(t testing.TB, event string, want any) {
	t.Helper()
	what := l.what(event)
	equal(t, l.endpoint, what, l.endpoint.receive(t, what, &l.inbox, is(event), never, nil).Payload, want)
}

// ExpectBroadcast waits for the next broadcast with this event, as ExpectPush does for pushes, and
// returns its payload.
func ExpectBroadcast[T any](t testing.TB, l *Listener, event string, fits ...func(T) bool) T {
	t.Helper()
	return expect(t, l.endpoint, l.what(event), &l.inbox, is(event), never, fits)
}

// ExpectNoBroadcast calls Endpoint.Settle. It ends the test if a broadcast with one of the events, or
// with any event if none is given, has come and was not expected by an earlier call.
func (l *Listener) ExpectNoBroadcast(t testing.TB, events ...string) {
	t.Helper()
	l.endpoint.Settle(t)
	if got := l.endpoint.find(&l.inbox, is(events...)); got != nil {
		t.Fatalf("channeltest: want no %s: there is %q %s\n%s", l.what(events...), got.Event, show(got.Payload), l.endpoint.transcript())
	}
}

// what describes the expected broadcast, for a failure.
func (l *Listener) what(events ...string) string {
	if len(events) == 1 {
		return fmt.Sprintf("broadcast %q on %s", events[0], l.topic)
	}
	return "broadcast on " + l.topic
}

// is finds messages with one of the events, or all messages if there are no events.
func is(events ...string) func(*entry) bool {
	return func(e *entry) bool { return len(events) == 0 || slices.Contains(events, e.Event) }
}

// never says that a broadcast may come at any time.
func never() over { return over{} }

// subscriber is a Listener as the PubSub sees it.
type subscriber Listener

// Deliver implements pubsub.Subscriber.
func (s *subscriber) Deliver(d *pubsub.Dispatch) {
	l := (*Listener)(s)
	m := &message{Topic: d.Topic, Event: d.Event}
	m.Payload.Data, m.Payload.Binary = d.Payload, d.Binary
	l.endpoint.mu.Lock()
	defer l.endpoint.mu.Unlock()
	e := &entry{kind: received, message: m}
	l.inbox.unread = append(l.inbox.unread, e)
	l.endpoint.addLocked(e)
}
