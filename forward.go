package bennu

import (
	"context"
	"errors"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Errors of Forward.
var (
	errNoForward = errors.New("bennu: Forward is not called in a handler of Intercept, with its context")
	errForwarded = errors.New("bennu: the handler has forwarded its broadcast already")
)

// Forward sends the broadcast that a handler of Intercept handles to its client, with another payload
// or the same. On a topic that has a history the message has the offset of the broadcast, so that a
// client which has received it goes on after it; what the handler pushes besides has none, and is
// pushed again when the broadcast is replayed. If the handler does not call Forward, the client passes
// over the broadcast, unless the handler panics or returns Crash; see Intercept. ctx is that of the handler, which may call Forward once. For payload and errors
// see Channel.Push.
func Forward(ctx context.Context, payload any) error {
	h, _ := ctx.Value(handlerKey{}).(*handlerContext)
	if h == nil || h.kind != itemOut {
		return errNoForward
	}
	p, err := encodeObject(payload)
	if err != nil {
		return err
	}
	return h.ch.forward(h, p)
}

// forward sends the broadcast of a handler.
func (c *Channel) forward(h *handlerContext, p Payload) error {
	c.mu.Lock()
	running, e := c.runs == h, (*follow.Entry)(nil)
	if running && c.kept.isFollower() {
		e = c.kept.more.cursor.now
	}
	c.mu.Unlock()
	if !running {
		return errNoForward
	}
	before, f, err := c.forwardFrames(h.event, p, e)
	if err != nil {
		return err
	}
	if err := c.at(h).checkFrame(f); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case h.forwarded:
		return errForwarded
	case c.state >= closed:
		return ErrClosed
	case c.runs != h: // it has returned meanwhile, and other entries may have passed
		return errNoForward
	}
	if len(before.Bytes()) > 0 {
		c.socket.conn.Send(before)
	}
	if !c.socket.conn.Send(f) {
		return ErrClosed
	}
	h.forwarded = true
	if e != nil {
		c.sentLocked(e.Position())
		c.countReplayedLocked()
	}
	return nil
}

// forwardFrames returns the frame of a message that is forwarded, and of the announcement before it if
// there is one. e is the entry that is forwarded, or nil for a broadcast without an offset. An entry has no
// join_ref, as those that are not intercepted have none: a client that has joined anew takes all that are
// under way or none, and so has no gap before its position.
func (c *Channel) forwardFrames(event string, p Payload, e *follow.Entry) (before, f transport.Frame, err error) {
	if e == nil || c.kept.form == NoOffsets {
		f, err = c.pushFrame(event, p)
		return before, f, err
	}
	at := e.Position()
	b := wire.Broadcast{Topic: c.topic, Event: event, Payload: p}
	switch {
	case p.Binary:
		announced := wire.Broadcast{Topic: c.topic, Event: eventOffset, Payload: announcement(at)}
		if before, err = broadcastFrame(c.socket.serializer, &announced); err != nil {
			return before, f, err
		}
	case c.kept.form == InRef:
		b.Ref = refOf(at)
	default:
		b.Payload.Data = withOffset(p.Data, at)
	}
	f, err = broadcastFrame(c.socket.serializer, &b)
	return before, f, err
}
