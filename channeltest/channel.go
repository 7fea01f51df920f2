package channeltest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// A Channel is a client's side of a joined topic. Client.Join makes one. After a crash, a close or a
// leave it stays ended; the client may join the topic again, which makes another Channel.
type Channel struct {
	client  *Client
	topic   string
	joinRef string
	params  wire.Payload // of its join
	reply   *entry
	round   int // the connection: see Client.round

	position, next string // see placeLocked

	start, last *entry // the reply to its join; its phx_close or phx_error
	told        bool   // a failure has shown the crash
}

// Push sends an event to the channel and does not wait. The methods of the result expect the reply. It
// may be called after the end of the channel, to test how the server replies. Unlike all else, it may be
// called from any goroutine; there it must not fail, so the payload must encode.
func (ch *Channel) Push(t testing.TB, name string, payload any) *Pushed {
	t.Helper()
	if fault := event.Fault(name); fault != "" {
		t.Fatalf("channeltest: want to push on %s: %s; to join or leave, use Join and Leave", ch.topic, fault)
	}
	return ch.push(t, name, payload)
}

// checkWanted ends a test that expects a push with an event of the protocol.
func checkWanted(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if fault := event.Fault(name); fault != "" {
			t.Fatalf("channeltest: no push has this event: %s; use ExpectClose and ExpectCrash for the ends of a channel", fault)
		}
	}
}

// ExpectPush waits for the next push with this event, and ends the test if its payload is not want.
// JSON is compared by value, so the order of members is ignored; numbers are compared as they are
// written, so that 1 and 1.0 differ.
//
// Broadcasts on the topic count as pushes, since a client cannot tell them apart. Each push is
// returned once. Pushes with other events stay for later calls.
func (ch *Channel) ExpectPush(t testing.TB, event string, want any) {
	t.Helper()
	checkWanted(t, event)
	what := ch.whatPush(event)
	got := ch.client.endpoint.receive(t, what, &ch.client.inbox, ch.isPush(event), ch.whyOver, nil)
	equal(t, ch.client.endpoint, what, got.Payload, want)
}

// ExpectPush waits for the next push with this event and returns its payload, decoded into T, which
// may be []byte, bennu.Raw or bennu.Payload. If there are functions fits, it waits for the first push
// that decodes into T and for which all of them return true; others stay for later calls.
func ExpectPush[T any](t testing.TB, ch *Channel, event string, fits ...func(T) bool) T {
	t.Helper()
	checkWanted(t, event)
	return expect(t, ch.client.endpoint, ch.whatPush(event), &ch.client.inbox, ch.isPush(event), ch.whyOver, fits)
}

// ExpectNoPush calls Endpoint.Settle. It ends the test if a push with one of the events, or with any
// event if none is given, has come and was not expected by an earlier call. The events bennu:resume and
// bennu:offset count only if they are given.
func (ch *Channel) ExpectNoPush(t testing.TB, events ...string) {
	t.Helper()
	checkWanted(t, events...)
	e := ch.client.endpoint
	e.Settle(t)
	if got := e.find(&ch.client.inbox, ch.isPush(events...)); got != nil {
		t.Fatalf("channeltest: want no %s: there is %q %s\n%s", ch.whatPush(events...), got.Event, show(got.Payload), e.transcript())
	}
}

// ExpectClose waits until the server closes the channel with phx_close. Stock clients do not join again
// after it.
func (ch *Channel) ExpectClose(t testing.TB) {
	t.Helper()
	ch.client.endpoint.receive(t, ch.topic+" to be closed", &ch.client.inbox, ch.isEnd(protocol.EventClose), ch.whyOver, nil)
}

// ExpectCrash waits until the server ends the channel with phx_error, after which stock clients join
// again. It returns the reason, which clients do not get: a *bennu.PanicError, the error of a
// callback, or one of bennu's, such as bennu.ErrGap.
func (ch *Channel) ExpectCrash(t testing.TB) error {
	t.Helper()
	return ch.client.endpoint.receive(t, ch.topic+" to crash", &ch.client.inbox, ch.isEnd(protocol.EventError), ch.whyOver, nil).reason
}

// Leave leaves the topic, and expects the reply "ok" and phx_close. It returns when the channel has ended
// and its Terminate has returned.
func (ch *Channel) Leave(t testing.TB) {
	t.Helper()
	p := ch.push(t, protocol.EventLeave, nil)
	p.ExpectOK(t)
	ch.ExpectClose(t)
	ch.client.endpoint.Settle(t)
}

// push sends a message of the channel, also phx_join and phx_leave.
func (ch *Channel) push(t testing.TB, event string, payload any) *Pushed {
	t.Helper()
	c := ch.client
	p, err := encode(payload)
	if err != nil {
		t.Fatalf("channeltest: the payload of %q does not encode: %v", event, err)
	}
	if p.Binary && (len(ch.topic) > wire.MaxTopic || len(event) > wire.MaxEvent) {
		t.Fatalf("channeltest: a binary message has at most %d bytes for its topic, and as many for its event", wire.MaxTopic)
	}
	pushed, why := ch.queue(event, p)
	if why.text != "" {
		t.Fatalf("channeltest: want to push %q on %s: %v\n%s", event, ch.topic, why, c.endpoint.transcript())
	}
	return pushed
}

// queue gives a message to the connection, or says why the connection has ended. The ref of a join
// becomes the join_ref of its channel.
func (ch *Channel) queue(event string, p wire.Payload) (pushed *Pushed, why over) {
	c := ch.client
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	why = c.whyGone()
	if event != protocol.EventJoin {
		why = ch.whyCut()
	}
	if why.text != "" {
		return nil, why
	}
	ref := c.nextRefLocked()
	if event == protocol.EventJoin {
		ch.joinRef, ch.params, ch.round = ref, p, c.round
		c.channels[ref] = ch
	}
	m := &message{JoinRef: ch.joinRef, Ref: ref, Topic: ch.topic, Event: event, Payload: p}
	e := &entry{client: c, kind: sent, message: m}
	c.endpoint.addLocked(e)
	c.input = append(c.input, m.frame())
	c.wakeLocked()
	return &Pushed{ch: ch, sent: e}, over{}
}

// isPush finds pushes of this join with one of the events, or with any event. A broadcast has no
// join_ref: it belongs to this join if it came after the reply to the join and before its end.
func (ch *Channel) isPush(events ...string) func(*entry) bool {
	return func(e *entry) bool {
		switch {
		case e.Topic != ch.topic || e.Event == protocol.EventReply || e.Event == protocol.EventClose || e.Event == protocol.EventError:
			return false
		case e.JoinRef != "":
			if e.JoinRef != ch.joinRef {
				return false
			}
		case ch.start == nil || e.number < ch.start.number || ch.last != nil && e.number > ch.last.number:
			return false // a broadcast that another join got
		case ch.round < len(ch.client.cuts) && e.number >= ch.client.cuts[ch.round]:
			return false // of a later connection
		}
		if len(events) == 0 {
			return e.Event != protocol.EventResume && e.Event != protocol.EventOffset
		}
		return slices.Contains(events, e.Event)
	}
}

// isEnd finds the message with which the server ended the channel.
func (ch *Channel) isEnd(event string) func(*entry) bool {
	return func(e *entry) bool { return e == ch.last && e.Event == event }
}

// whatPush describes the expected push, for a failure.
func (ch *Channel) whatPush(events ...string) string {
	switch len(events) {
	case 0:
		return "push on " + ch.place()
	case 1:
		return fmt.Sprintf("push %q on %s", events[0], ch.place())
	}
	return fmt.Sprintf("push %q on %s", events, ch.place())
}

// place returns the topic, with the name of the client if the endpoint has several.
func (ch *Channel) place() string {
	e := ch.client.endpoint
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.clients) == 1 {
		return ch.topic
	}
	return ch.topic + " of " + ch.client.name()
}

// whyOver says why no more messages can come from the channel. If that is a crash, the failure shows it,
// so end does not report it again. The lock is held.
func (ch *Channel) whyOver() over {
	switch {
	case ch.last == nil:
		return ch.whyCut()
	case ch.last.Event == protocol.EventClose:
		return over{"the channel is closed", ch.last.reason}
	case ch.last.taken:
		return over{text: "the channel has crashed, as was expected; join it again"}
	}
	ch.told = true
	return over{"the channel has crashed", ch.last.reason}
}

// whyCut is Client.whyGone for the connection of the channel, which may be an earlier one. The lock is
// held.
func (ch *Channel) whyCut() over {
	if ch.round < ch.client.round {
		return over{text: "the connection of the channel was cut; use the channel that Join or Rejoin has returned since"}
	}
	return ch.client.whyGone()
}
