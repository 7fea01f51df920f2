package channeltest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/wire"
)

// Channel is a topic that a client has joined. After a crash, a close or a leave the
// client may join the topic again, and has another Channel then.
type Channel struct {
	client  *Client
	topic   string
	joinRef string
	reply   *entry

	start, last *entry // the reply to its join; its phx_close or phx_error
	told        bool   // the test has failed over the crash already
}

// Push sends an event to the channel and does not wait. The payload is a value that
// encodes to JSON, []byte for a binary message, bennu.Raw or bennu.Payload, or nil
// for {}. For the reply see Pushed.
func (ch *Channel) Push(t testing.TB, name string, payload any) *Pushed {
	t.Helper()
	if fault := event.Fault(name); fault != "" {
		t.Fatalf("channeltest: want to push on %s: %s; for joins and leaves there are Join and Leave", ch.topic, fault)
	}
	return ch.push(t, name, payload)
}

// checkWanted ends a test that asks for pushes that there never are.
func checkWanted(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if fault := event.Fault(name); fault != "" {
			t.Fatalf("channeltest: no push is ever that: %s; for the ends of a channel there are ExpectClose and ExpectCrash", fault)
		}
	}
}

// ExpectPush wants the next push with this event to have the payload want, which is
// what Push describes. It waits for the push. JSON is compared by what it says: the
// order of fields is of no matter.
//
// Pushes of the channel and broadcasts on its topic are alike to a client, and so they
// are here. Each is asked for once; those with other events stay for later calls.
func (ch *Channel) ExpectPush(t testing.TB, event string, want any) {
	t.Helper()
	checkWanted(t, event)
	what := ch.whatPush(event)
	got := ch.client.endpoint.receive(t, what, &ch.client.inbox, ch.isPush(event), ch.whyOver, nil)
	equal(t, ch.client.endpoint, what, got.Payload, want)
}

// ExpectPush is Channel.ExpectPush for those who want to look at the payload: T is what
// it decodes to, or []byte for a binary push, bennu.Raw or bennu.Payload. With fits it
// is the first push for which fits is true; the others stay for later calls.
func ExpectPush[T any](t testing.TB, ch *Channel, event string, fits ...func(T) bool) T {
	t.Helper()
	checkWanted(t, event)
	return expect(t, ch.client.endpoint, ch.whatPush(event), &ch.client.inbox, ch.isPush(event), ch.whyOver, fits)
}

// ExpectNoPush wants no push with one of these events to have come that was not asked
// for yet, or no push at all when it is called without events. It waits for no time, but
// until everything is handled that could lead to one, as Endpoint.Settle does.
func (ch *Channel) ExpectNoPush(t testing.TB, events ...string) {
	t.Helper()
	checkWanted(t, events...)
	e := ch.client.endpoint
	e.Settle(t)
	if got := e.find(&ch.client.inbox, ch.isPush(events...)); got != nil {
		t.Fatalf("channeltest: want no %s: there is %q %s\n%s", ch.whatPush(events...), got.Event, show(got.Payload), e.transcript())
	}
}

// ExpectClose wants the server to close the channel in good order: the client gets
// phx_close and does not join again.
func (ch *Channel) ExpectClose(t testing.TB) {
	t.Helper()
	ch.client.endpoint.receive(t, ch.topic+" to be closed", &ch.client.inbox, ch.isEnd(wire.EventClose), ch.whyOver, nil)
}

// ExpectCrash wants the channel to crash: the client gets phx_error and joins again. It
// returns why, which a client is not told: a *bennu.PanicError, or what a callback
// returned.
func (ch *Channel) ExpectCrash(t testing.TB) error {
	t.Helper()
	return ch.client.endpoint.receive(t, ch.topic+" to crash", &ch.client.inbox, ch.isEnd(wire.EventError), ch.whyOver, nil).reason
}

// Leave leaves the topic, and returns when the channel has ended and its Terminate has
// returned.
func (ch *Channel) Leave(t testing.TB) {
	t.Helper()
	p := ch.push(t, wire.EventLeave, nil)
	p.ExpectOK(t)
	ch.ExpectClose(t)
	ch.client.endpoint.Settle(t)
}

// push sends a message of the channel. That of its join gives it its join_ref.
func (ch *Channel) push(t testing.TB, event string, payload any) *Pushed {
	t.Helper()
	c := ch.client
	p, err := encode(payload)
	if err != nil {
		t.Fatalf("channeltest: the payload of %q does not encode: %v", event, err)
	}
	if p.Binary && (len(ch.topic) > wire.MaxTopic || len(event) > wire.MaxEvent) {
		t.Fatalf("channeltest: a binary message has at most %d bytes for each its topic and its event", wire.MaxTopic)
	}
	pushed, why := ch.queue(event, p)
	if why.text != "" {
		t.Fatalf("channeltest: want to push %q on %s: %v\n%s", event, ch.topic, why, c.endpoint.transcript())
	}
	return pushed
}

// queue gives a message to the connection, or says why there is none any more.
func (ch *Channel) queue(event string, p wire.Payload) (pushed *Pushed, why over) {
	c := ch.client
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if why := c.whyGone(); why.text != "" {
		return nil, why
	}
	ref := c.nextRefLocked()
	if event == wire.EventJoin {
		ch.joinRef = ref
		c.channels[ref] = ch
	}
	m := &message{JoinRef: ch.joinRef, Ref: ref, Topic: ch.topic, Event: event, Payload: p}
	e := &entry{client: c, kind: sent, message: m}
	c.endpoint.addLocked(e)
	c.input = append(c.input, m.frame())
	c.wakeLocked()
	return &Pushed{ch: ch, sent: e}, over{}
}

// isPush finds pushes of this join with one of the events, or with any.
func (ch *Channel) isPush(events ...string) func(*entry) bool {
	return func(e *entry) bool {
		switch {
		case e.Topic != ch.topic || e.Event == wire.EventReply || e.Event == wire.EventClose || e.Event == wire.EventError:
			return false
		case e.JoinRef != "":
			if e.JoinRef != ch.joinRef {
				return false
			}
		case ch.start == nil || e.number < ch.start.number || ch.last != nil && e.number > ch.last.number:
			return false // a broadcast to another join
		}
		return len(events) == 0 || slices.Contains(events, e.Event)
	}
}

func (ch *Channel) isEnd(event string) func(*entry) bool {
	return func(e *entry) bool { return e == ch.last && e.Event == event }
}

func (ch *Channel) whatPush(events ...string) string {
	switch len(events) {
	case 0:
		return "push on " + ch.place()
	case 1:
		return fmt.Sprintf("push %q on %s", events[0], ch.place())
	}
	return fmt.Sprintf("push %q on %s", events, ch.place())
}

// place is the topic, and whose it is where there are several clients.
func (ch *Channel) place() string {
	e := ch.client.endpoint
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.clients) == 1 {
		return ch.topic
	}
	return ch.topic + " of " + ch.client.name
}

// whyOver says why nothing more comes from the channel, or nothing. The lock is held.
func (ch *Channel) whyOver() over {
	switch {
	case ch.last == nil:
		return ch.client.whyGone()
	case ch.last.Event == wire.EventClose:
		return over{"the channel is closed", ch.last.reason}
	case ch.last.taken:
		return over{text: "the channel has crashed, as was expected; join it again"}
	}
	ch.told = true
	return over{"the channel has crashed", ch.last.reason}
}
