package channeltest

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// A Client is one connection to an endpoint under test.
type Client struct {
	endpoint *Endpoint
	options  Options

	// Of the present connection. Only the goroutine of the test replaces them, when run has returned.
	receiver seam.Receiver
	wake     chan struct{} // of capacity 1: there is input, or an end
	done     chan struct{} // closed when run has returned
	hangUp   chan struct{} // closed with gone

	// endpoint.mu guards the fields below.
	refs     int
	input    []frame
	busy     bool                // run has input, or gives it to the server
	gone     bool                // the connection has ended
	round    int                 // number of connections before the present one
	cuts     []int               // of those, and of the present one if Cut has ended it: the number of entries then
	lost     error               // why; for the server
	code     transport.CloseCode // of the server, or 0
	inbox    inbox
	channels map[string]*Channel // by join_ref, once joined
	reasons  map[string]error    // of the ends of channels, by join_ref
}

// newClient opens the connection of an accepted request.
func newClient(e *Endpoint, o Options, r seam.Receiver) *Client {
	c := &Client{endpoint: e, options: o, channels: map[string]*Channel{}, reasons: map[string]error{}}
	c.open(r)
	e.mu.Lock()
	e.clients = append(e.clients, c)
	e.mu.Unlock()
	return c
}

// open opens a connection. The client has none.
func (c *Client) open(r seam.Receiver) {
	c.endpoint.mu.Lock()
	c.receiver, c.wake, c.done, c.hangUp = r, make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	c.input, c.gone, c.lost, c.code = nil, false, nil, 0
	c.round = len(c.cuts)
	c.endpoint.mu.Unlock()
	r.Opened(&conn{c, c.round})
	go c.run()
}

// name is the name of the client in failures.
func (c *Client) name() string { return c.options.Name }

// Join joins a topic, or ends the test if the join is refused. It returns when the reply has come and
// the channel has handled the messages that its join function passed to Channel.Send. A client that
// joins next sees their effects, such as a tracked presence. Joining a topic again while the client is
// on it replaces the first channel, as in production.
func (c *Client) Join(t testing.TB, topic string, params any) *Channel {
	t.Helper()
	ch, reply := c.join(t, topic, params)
	if reply.Status != protocol.StatusOK {
		why := show(reply.Payload)
		if reply.reason != nil {
			why += ": " + explain(reply.reason)
		}
		t.Fatalf("channeltest: want to join %s: refused with %s\n%s", topic, why, c.endpoint.transcript())
	}
	return ch
}

// Join is Client.Join with the response of the reply, decoded into Out.
func Join[Out any](t testing.TB, c *Client, topic string, params any) (*Channel, Out) {
	t.Helper()
	ch := c.Join(t, topic, params)
	return ch, decode[Out](t, c.endpoint, "the reply to the join of "+topic, ch.reply.Payload)
}

// ExpectJoinRefused joins a topic, and ends the test if the join is accepted. The result has the reason,
// and in Response the whole response as a bennu.Raw.
func (c *Client) ExpectJoinRefused(t testing.TB, topic string, params any) *bennu.Error {
	t.Helper()
	_, reply := c.join(t, topic, params)
	if reply.Status == protocol.StatusOK {
		t.Fatalf("channeltest: want the join of %s to be refused: it was joined\n%s", topic, c.endpoint.transcript())
	}
	return refusal(reply.Payload)
}

// join sends a join and waits for the reply.
func (c *Client) join(t testing.TB, topic string, params any) (*Channel, *entry) {
	t.Helper()
	c.connectAgain(t)
	ch := &Channel{client: c, topic: topic}
	reply := ch.push(t, protocol.EventJoin, params).await(t, "reply to the join of "+topic)
	ch.reply = reply
	if reply.Status == protocol.StatusOK {
		ch.arrive()
	}
	return ch, reply
}

// arrive waits until the messages that the join function gave to Channel.Send are handled.
func (ch *Channel) arrive() {
	e := ch.client.endpoint
	if e.bubble {
		synctest.Wait()
		return
	}
	if r, ok := ch.client.receiver.(ability.Idler); ok {
		ctx, cancel := context.WithTimeout(context.Background(), e.timeout())
		defer cancel()
		r.AwaitHandled(ctx, ch.topic)
	}
}

// Close closes the connection in good order: its channels end with transport.ErrClientClosed. It returns
// when they have ended and their Terminate has returned.
func (c *Client) Close(t testing.TB) {
	t.Helper()
	c.leaveOff(transport.ErrClientClosed)
	<-c.done
	c.endpoint.Settle(t)
}

// Drop breaks the connection without a close, as a lost network does: its channels end with
// transport.ErrLost. It returns when they have ended and their Terminate has returned.
func (c *Client) Drop(t testing.TB) {
	t.Helper()
	c.leaveOff(transport.ErrLost)
	<-c.done
	c.endpoint.Settle(t)
}

// Cut is Drop for a client that comes back, as one whose network was away: its next Join, or
// Channel.Rejoin, connects it again with the same Options. Until then the client misses what is sent. Cut
// may also follow an ExpectDisconnect.
func (c *Client) Cut(t testing.TB) {
	t.Helper()
	c.Drop(t)
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if !c.isCut() {
		c.cuts = append(c.cuts, len(c.endpoint.entries))
	}
}

// isCut reports whether Cut has ended the present connection.
func (c *Client) isCut() bool { return len(c.cuts) > c.round }

// connectAgain connects a client that was cut.
func (c *Client) connectAgain(t testing.TB) {
	t.Helper()
	if !c.isCut() {
		return
	}
	r, refused := c.endpoint.accept(t, &c.options)
	if refused != nil {
		t.Fatalf("%s\n%s", refused.text(), c.endpoint.transcript())
	}
	c.open(r)
}

// ExpectDisconnect waits until the server closes the connection, and returns the close code. It fails if
// the client has closed first.
func (c *Client) ExpectDisconnect(t testing.TB) transport.CloseCode {
	t.Helper()
	c.endpoint.await(t, c.name()+" to be disconnected", func() (bool, over) {
		if c.code != 0 {
			return true, over{}
		}
		return false, c.whyGone()
	})
	return c.code
}

// end closes the connection at the end of the test. Unless the test has failed already, it settles the
// endpoint first, to find a crash that the last messages of the test cause.
func (c *Client) end(t testing.TB) {
	t.Helper()
	if !t.Failed() {
		c.endpoint.settle()
	}
	c.leaveOff(transport.ErrClientClosed)
	<-c.done
	for _, ch := range c.crashed() {
		t.Errorf("channeltest: the channel %s of %s crashed; call ExpectCrash if it should: %s\n%s",
			ch.topic, c.name(), explain(ch.last.reason), c.endpoint.transcript())
	}
}

// crashed returns the channels with a crash that the test has not expected and no failure has shown.
func (c *Client) crashed() (list []*Channel) {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	for ref := range c.refs {
		ch := c.channels[strconv.Itoa(ref+1)]
		if ch != nil && ch.last != nil && ch.last.Event == protocol.EventError && !ch.last.taken && !ch.told {
			list = append(list, ch)
		}
	}
	return list
}

// nextRefLocked returns a new ref.
func (c *Client) nextRefLocked() string {
	c.refs++
	return strconv.Itoa(c.refs)
}

// whyGone says why no further message can come to the client. The lock is held.
func (c *Client) whyGone() over {
	switch {
	case c.isCut():
		return over{text: "the connection was cut, and Join or Rejoin connects again"}
	case c.code != 0:
		return over{text: "the server has closed the connection with " + strconv.Itoa(int(c.code))}
	case c.gone:
		return over{text: "the client has closed its connection"}
	}
	return over{}
}
