package channeltest

import (
	"errors"
	"fmt"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// run is the goroutine of the connection: it gives the server the frames of the client, and at last its
// end. The end of the test waits for it.
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

// next returns the next frame of the client. If the client closes, that comes after its frames; if the
// server closes, it comes at once.
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

// rest notes that run has ended.
func (c *Client) rest() {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	c.busy = false
	c.endpoint.changedLocked()
}

// wakeLocked wakes run.
func (c *Client) wakeLocked() {
	c.busy = true
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// leaveOff ends the connection from the side of the client.
func (c *Client) leaveOff(reason error) {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if !c.gone {
		c.endLocked(reason, "the client closes its connection")
	}
}

// endLocked ends the connection. After it the server can send nothing and the client nothing more.
func (c *Client) endLocked(reason error, note string) {
	c.gone = true
	c.lost = reason
	close(c.hangUp)
	c.wakeLocked()
	c.endpoint.noteLocked(c, "", note)
}

// conn is a client as its socket sees it.
type conn Client

var _ ability.Observer = (*conn)(nil)

// Send implements seam.Conn. A test has no bound to what waits for its client.
func (n *conn) Send(f transport.Frame) bool {
	c := (*Client)(n)
	m, err := parse(f)
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if c.gone {
		return false
	}
	if err != nil {
		c.endpoint.noteLocked(c, "", fmt.Sprintf("a frame is none of version 2 of the protocol: %v", err))
		return true
	}
	e := &entry{client: c, kind: received, message: m}
	switch m.Event {
	case wire.EventClose, wire.EventError:
		e.reason = c.reasons[m.Ref]
		if ch := c.channels[m.Ref]; ch != nil {
			ch.last = e
		}
	case wire.EventReply:
		if ch := c.channels[m.Ref]; ch != nil { // the reply to its join
			ch.start = e
		}
		e.reason = c.crashOfJoin(m.Ref)
	}
	c.inbox.unread = append(c.inbox.unread, e)
	c.endpoint.addLocked(e)
	return true
}

// Close implements seam.Conn.
func (n *conn) Close(code transport.CloseCode) {
	c := (*Client)(n)
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if c.gone {
		return
	}
	c.code = code
	c.endLocked(&transport.ClosedError{Code: code}, fmt.Sprintf("the server closes the connection with %d", code))
}

// ChannelEnded implements ability.Observer.
func (n *conn) ChannelEnded(_ string, joinRef wire.Ref, reason error) {
	c := (*Client)(n)
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	c.reasons[joinRef.Text()] = reason
}

// CallbackFailed implements ability.Observer.
func (n *conn) CallbackFailed(topic string, err error) {
	c := (*Client)(n)
	text := "a callback failed: " + fmt.Sprint(err)
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if _, ok := errors.AsType[*bennu.PanicError](err); ok {
		c.endpoint.late = append(c.endpoint.late, err)
	}
	c.endpoint.noteLocked(c, topic, text)
}

// crashOfJoin is why a join has crashed, if it has. Other errors are noted already.
func (c *Client) crashOfJoin(ref string) error {
	reason := c.reasons[ref]
	if _, ok := errors.AsType[*bennu.PanicError](reason); ok || errors.Is(reason, bennu.ErrJoinTimeout) {
		return reason
	}
	return nil
}
