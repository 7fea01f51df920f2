package channeltest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// A Pushed is a message that a client has sent. Its methods expect the reply, which may also be ignored.
type Pushed struct {
	ch   *Channel
	sent *entry
}

// ExpectOK waits for a reply with the status "ok" and any response.
func (p *Pushed) ExpectOK(t testing.TB) {
	t.Helper()
	p.expect(t, protocol.StatusOK)
}

// ExpectReply waits for a reply with the status "ok", and ends the test if its response is not want. They
// are compared as by Channel.ExpectPush.
func (p *Pushed) ExpectReply(t testing.TB, want any) {
	t.Helper()
	equal(t, p.ch.client.endpoint, p.what(), p.expect(t, protocol.StatusOK).Payload, want)
}

// ExpectReply waits for a reply with the status "ok" and returns its response, decoded into T, which
// may be []byte, bennu.Raw or bennu.Payload.
func ExpectReply[T any](t testing.TB, p *Pushed) T {
	t.Helper()
	return decode[T](t, p.ch.client.endpoint, p.what(), p.expect(t, protocol.StatusOK).Payload)
}

// ExpectError waits for a reply with the status "error". The result has the reason, and in Response the
// whole response as a bennu.Raw. Its text is the reason, with the field if the reply names one.
func (p *Pushed) ExpectError(t testing.TB) *bennu.Error {
	t.Helper()
	return refusal(p.expect(t, protocol.StatusError).Payload)
}

// ExpectStatus waits for a reply with this status and returns its response.
func (p *Pushed) ExpectStatus(t testing.TB, status string) bennu.Payload {
	t.Helper()
	return p.expect(t, status).Payload
}

// ExpectNoReply calls Endpoint.Settle. It ends the test if a reply has come.
func (p *Pushed) ExpectNoReply(t testing.TB) {
	t.Helper()
	e := p.ch.client.endpoint
	e.Settle(t)
	if got := e.find(&p.ch.client.inbox, p.isReply); got != nil {
		t.Fatalf("channeltest: want no %s: there is %s %s\n%s", p.what(), got.Status, show(got.Payload), e.transcript())
	}
}

// expect waits for the reply, which must have this status.
func (p *Pushed) expect(t testing.TB, status string) *entry {
	t.Helper()
	got := p.await(t, p.what())
	if got.Status != status {
		t.Fatalf("channeltest: want %s to be %s: got %s %s\n%s", p.what(), status, got.Status, show(got.Payload), p.ch.client.endpoint.transcript())
	}
	return got
}

// await waits for a reply with any status.
func (p *Pushed) await(t testing.TB, what string) *entry {
	t.Helper()
	return p.ch.client.endpoint.receive(t, what, &p.ch.client.inbox, p.isReply, p.whyNone, nil)
}

// isReply finds the reply by its ref. No two messages of a client have the same.
func (p *Pushed) isReply(e *entry) bool {
	return e.Event == protocol.EventReply && e.Ref == p.sent.Ref
}

// what describes the reply, for a failure.
func (p *Pushed) what() string {
	return fmt.Sprintf("reply to %q on %s", p.sent.Event, p.ch.place())
}

// whyNone says why no reply can come. If the message was sent before the end of the channel, the end is
// the reason; to a later message the socket replies as long as the connection is open. The lock is held.
func (p *Pushed) whyNone() over {
	if last := p.ch.last; last != nil && last.number > p.sent.number {
		return p.ch.whyOver()
	}
	return p.ch.whyCut()
}

// refusal makes an error of an error reply.
func refusal(p wire.Payload) *bennu.Error {
	var told struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(p.Data, &told) // a response of another form has no reason
	return &bennu.Error{Reason: told.Reason, Response: bennu.Raw(p.Data)}
}
