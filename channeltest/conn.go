package channeltest

import (
	"errors"
	"fmt"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// run is the goroutine of the connection. It gives the frames of the client to the server, waits when
// the server does not want to read on, and reports the end of the connection. end waits for it.
func (c *Client) run() {
	defer close(c.done)
	for {
		f, ok, over := c.next()
		switch {
		case over:
			c.endpoint.mu.Lock()
			reason := c.lost
			c.endpoint.mu.Unlock()
			c.receiver.Closed(reason)
			c.rest()
			return
		case !ok:
			<-c.wake
		default:
			if resume := c.receiver.Receive(f.op, f.data); resume != nil {
				select {
				case <-resume:
				case <-c.hangUp:
				}
			}
		}
	}
}

// next returns the next frame of the client, or over at the end of the connection. If the client has
// closed, its queued frames come first; if the server has closed, they are dropped.
func (c *Client) next() (f frame, ok, over bool) {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if c.gone && (c.code != 0 || len(c.input) == 0) {
		return frame{}, false, true
	}
	if len(c.input) == 0 {
		c.busy = false
		c.endpoint.changedLocked()
		return frame{}, false, false
	}
	f, c.input = c.input[0], c.input[1:]
	return f, true, false
}

// rest marks the client as idle when run has ended.
func (c *Client) rest() {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	c.busy = false
	c.endpoint.changedLocked()
}

// wakeLocked wakes run, and marks the client as busy until run has no input left.
func (c *Client) wakeLocked() {
	c.busy = true
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// leaveOff ends the connection from the side of the client, if it is open. reason is the error that the
// server's channels get.
func (c *Client) leaveOff(reason error) {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if !c.gone {
		c.endLocked(reason, "the client closes its connection")
	}
}

// endLocked ends the connection. After it neither side can send.
func (c *Client) endLocked(reason error, note string) {
	c.gone = true
	c.lost = reason
	close(c.hangUp)
	c.wakeLocked()
	c.endpoint.noteLocked(c, "", note)
}

// conn is one connection of a Client, as its socket on the server sees it.
type conn struct {
	client *Client
	round  int // see Client.round
}

var _ ability.Observer = (*conn)(nil)

// Send implements seam.Conn. It takes every frame: the queue of a test client has no bound.
func (n *conn) Send(f transport.Frame) bool {
	c := n.client
	m, err := parse(f)
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if c.gone || n.round != c.round {
		return false
	}
	if err != nil {
		c.endpoint.noteLocked(c, "", fmt.Sprintf("a frame is none of version 2 of the protocol: %v", err))
		return true
	}
	e := &entry{client: c, kind: received, message: m}
	switch m.Event {
	case protocol.EventClose, protocol.EventError:
		e.reason = c.reasons[m.Ref]
		if ch := c.channels[m.Ref]; ch != nil {
			ch.last = e
		}
	case protocol.EventReply:
		if ch := c.channels[m.Ref]; ch != nil { // the reply to its join
			ch.start = e
		}
		e.reason = c.crashOfJoin(m.Ref)
	}
	c.placeLocked(m)
	c.inbox.unread = append(c.inbox.unread, e)
	c.endpoint.addLocked(e)
	return true
}

// Close implements seam.Conn.
func (n *conn) Close(code transport.CloseCode) {
	c := n.client
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if c.gone || n.round != c.round {
		return
	}
	c.code = code
	c.endLocked(&transport.ClosedError{Code: code}, fmt.Sprintf("the server closes the connection with %d", code))
}

// ChannelEnded implements ability.Observer.
func (n *conn) ChannelEnded(_ string, joinRef wire.Ref, reason error) {
	c := n.client
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	c.reasons[joinRef.Text()] = reason
}

// CallbackFailed implements ability.Observer.
func (n *conn) CallbackFailed(topic string, err error) {
	c := n.client
	text := "a callback failed: " + fmt.Sprint(err)
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if _, ok := errors.AsType[*bennu.PanicError](err); ok {
		c.endpoint.late = append(c.endpoint.late, err)
	}
	c.endpoint.noteLocked(c, topic, text)
}

// crashOfJoin returns the panic or timeout because of which a join was refused, or nil. Other errors of
// joins are in the reply, or in the transcript.
func (c *Client) crashOfJoin(ref string) error {
	reason := c.reasons[ref]
	if _, ok := errors.AsType[*bennu.PanicError](reason); ok || errors.Is(reason, bennu.ErrJoinTimeout) {
		return reason
	}
	return nil
}
