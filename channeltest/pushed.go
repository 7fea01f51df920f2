package channeltest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/wire"
)

// Pushed is a message that a client has sent, and may be answered. Nothing is wrong with
// a reply that nobody asks for.
type Pushed struct {
	ch   *Channel
	sent *entry
}

// ExpectOK wants a reply with status ok, whatever its response.
func (p *Pushed) ExpectOK(t testing.TB) {
	t.Helper()
	p.expect(t, wire.StatusOK)
}

// ExpectReply wants a reply with status ok and the response want, which is what
// Channel.Push describes.
func (p *Pushed) ExpectReply(t testing.TB, want any) {
	t.Helper()
	equal(t, p.ch.client.endpoint, p.what(), p.expect(t, wire.StatusOK).Payload, want)
}

// ExpectReply wants a reply with status ok, and returns its response: T is what it
// decodes to, or []byte for a binary reply, bennu.Raw or bennu.Payload.
func ExpectReply[T any](t testing.TB, p *Pushed) T {
	t.Helper()
	return decode[T](t, p.ch.client.endpoint, p.what(), p.expect(t, wire.StatusOK).Payload)
}

// ExpectError wants a reply with status error. The result has its reason, and the
// whole response as bennu.Raw; its text is the reason with the field, if one is named.
func (p *Pushed) ExpectError(t testing.TB) *bennu.Error {
	t.Helper()
	return refusal(p.expect(t, wire.StatusError).Payload)
}

// ExpectStatus wants a reply with a status of the application's own, and returns its
// response.
func (p *Pushed) ExpectStatus(t testing.TB, status string) bennu.Payload {
	t.Helper()
	return p.expect(t, status).Payload
}

// ExpectNoReply wants no reply to have come when everything is handled; see
// Endpoint.Settle.
func (p *Pushed) ExpectNoReply(t testing.TB) {
	t.Helper()
	e := p.ch.client.endpoint
	e.Settle(t)
	if got := e.find(&p.ch.client.inbox, p.isReply); got != nil {
		t.Fatalf("channeltest: want no %s: there is %s %s\n%s", p.what(), got.Status, show(got.Payload), e.transcript())
	}
}

func (p *Pushed) expect(t testing.TB, status string) *entry {
	t.Helper()
	got := p.await(t, p.what())
	if got.Status != status {
		t.Fatalf("channeltest: want %s to be %s: got %s %s\n%s", p.what(), status, got.Status, show(got.Payload), p.ch.client.endpoint.transcript())
	}
	return got
}

func (p *Pushed) await(t testing.TB, what string) *entry {
	t.Helper()
	return p.ch.client.endpoint.receive(t, what, &p.ch.client.inbox, p.isReply, p.whyNone, nil)
}

func (p *Pushed) isReply(e *entry) bool {
	return e.Event == wire.EventReply && e.Ref == p.sent.Ref
}

func (p *Pushed) what() string {
	return fmt.Sprintf("reply to %q on %s", p.sent.Event, p.ch.place())
}

// whyNone says why there will be no reply. To what is sent after the end of the
// channel the socket itself replies. The lock is held.
func (p *Pushed) whyNone() over {
	if last := p.ch.last; last != nil && last.number > p.sent.number {
		return p.ch.whyOver()
	}
	return p.ch.client.whyGone()
}

// refusal is an error reply.
func refusal(p wire.Payload) *bennu.Error {
	var told struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(p.Data, &told) // a response of another form has no reason
	return &bennu.Error{Reason: told.Reason, Response: bennu.Raw(p.Data)}
}
