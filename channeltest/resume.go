package channeltest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/protocol"
)

// Resumed is what a client is told of the messages that it may have missed, if its topic has a history
// and the params of its join have the member "since", or that of history.Options.SinceParam.
type Resumed struct {
	Status   string `json:"status"` // "new", "recovered", "lost" or "live"
	Reason   string `json:"reason"` // of "lost"
	Count    int    `json:"count"`  // of "live": the missed messages that came before it
	Position string `json:"-"`      // from where the channel goes on, as since of another join
}

// ExpectResumed waits until the client is told how the channel goes on, and ends the test if the status is
// not this one. After a join it is "new", "recovered" or "lost". After missed messages it is "live".
func (ch *Channel) ExpectResumed(t testing.TB, status string) Resumed {
	t.Helper()
	e := ch.client.endpoint
	what := ch.topic + " to be resumed as " + status
	got := e.receive(t, what, &ch.client.inbox, ch.isPush(protocol.EventResume), ch.whyOver, nil)
	r := decode[Resumed](t, e, what, got.Payload)
	r.Position = got.Ref
	if r.Status != status {
		t.Fatalf("channeltest: want %s: it is %s\n%s", what, show(got.Payload), e.transcript())
	}
	return r
}

// Rejoin joins the topic again as stock clients do that resume: with the same params, in which since is the
// position of the last message that the channel has received. If it has received none with a position,
// the params are as they were. A client that was cut is connected again. Like Client.Join, it ends the
// test if the join is refused.
func (ch *Channel) Rejoin(t testing.TB) *Channel {
	t.Helper()
	c := ch.client
	c.endpoint.mu.Lock()
	params, position := ch.params, ch.position
	c.endpoint.mu.Unlock()
	if position != "" {
		data, err := jsontext.WithMember(params.Data, follow.SinceParamOf(c.endpoint.Endpoint), jsontext.AppendString(nil, position))
		if err != nil {
			t.Fatalf("channeltest: want to join %s again: its params are no JSON object: %v", ch.topic, err)
		}
		params.Data = data
	}
	return c.Join(t, ch.topic, params)
}

// placeLocked notes the position that a message has, for the channel that gets it. Only positions have
// a colon. A binary broadcast has none: the message before it has its position.
func (c *Client) placeLocked(m *message) {
	if m.Event == protocol.EventReply {
		return
	}
	for _, ch := range c.channels {
		if ch.topic != m.Topic || ch.round != c.round || ch.start == nil || ch.last != nil || m.JoinRef != "" && m.JoinRef != ch.joinRef {
			continue
		}
		var announced struct{ Next string }
		switch {
		case strings.Contains(m.Ref, ":"):
			ch.position = m.Ref
		case m.Event == protocol.EventOffset:
			_ = json.Unmarshal(m.Payload.Data, &announced)
		case ch.next != "" && m.Payload.Binary:
			ch.position = ch.next
		}
		ch.next = announced.Next
	}
}
