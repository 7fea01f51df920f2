package client

import (
	"context"
	"errors"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/wire"
)

// push is an event for the server. The socket's lock guards it until done is closed.
type push struct {
	event   string
	payload Payload
	ref     string        // set when it is sent
	done    chan struct{} // closed when it is over; nil for Send, which does not wait
	over    bool
	reply   Reply
	err     error
}

// finish sets the result of a push and wakes its caller. Only the first call has an effect.
func (p *push) finish(r Reply, err error) {
	if p.over {
		return
	}
	p.over, p.reply, p.err = true, r, err
	if p.done != nil {
		close(p.done)
	}
}

// Push sends an event and waits for the reply, up to Options.Timeout. payload is as the package
// documentation describes. If the channel is joining or errored, the push waits until it is joined,
// which counts as part of the timeout. Join must have been called.
//
// A reply with a status other than "ok" is returned with a [*ReplyError]. The other errors are
// [ErrTimeout], [ErrInterrupted], [ErrBufferFull], the error with which the channel or the socket
// ended, the cause of ctx, and errors about the event or the payload. After a timeout or the end
// of ctx, a push that was not sent yet is dropped, and the reply to one that was sent is ignored.
func (ch *Channel) Push(ctx context.Context, event string, payload any) (Reply, error) {
	s := ch.socket
	if ctx.Err() != nil {
		return Reply{}, context.Cause(ctx)
	}
	p := &push{event: event, done: make(chan struct{})}
	if err := ch.give(p, payload); err != nil {
		return Reply{}, err
	}
	err := s.inTime(ctx, p.done)
	if err == nil {
		return p.reply, p.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.over { // the reply came meanwhile
		return p.reply, p.err
	}
	ch.forgetLocked(p)
	return Reply{}, err
}

// Push is [Channel.Push] with the response decoded into Out.
//
//	answer, err := client.Push[Answer](ctx, room, "ask", Question{"why?"})
func Push[Out any](ctx context.Context, ch *Channel, event string, payload any) (out Out, err error) {
	return decodeReply[Out](ch.Push(ctx, event, payload))
}

// Send sends an event and does not wait for a reply. If the channel is joining or errored, the event
// waits until it is joined, without a timeout. A nil error means that the event is queued, not that
// it arrives. The errors are those of Push that do not come from waiting.
func (ch *Channel) Send(event string, payload any) error {
	return ch.give(&push{event: event}, payload)
}

// give sends a push, or keeps it in the channel's buffer until the channel is joined.
func (ch *Channel) give(p *push, payload any) (err error) {
	if p.payload, err = encode(payload); err != nil {
		return err
	}
	s := ch.socket
	if err := s.encodable(ch.topic, p.event, p.payload); err != nil {
		return err
	}
	if fault := event.Fault(p.event); fault != "" {
		return errors.New("client: " + fault)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ch.ended != nil:
		return ch.ended
	case s.closing:
		return s.endedLocked()
	case !ch.asked:
		return errNotJoined
	case s.buffered.exceeded(p.payload, s.opts.MaxBuffered, s.opts.MaxBufferedBytes):
		return ErrBufferFull
	}
	if ch.state == StateJoined && s.link != nil {
		ch.sendLocked(p)
		return nil
	}
	ch.buffer = append(ch.buffer, p)
	s.buffered.add(p.payload)
	return nil
}

// sendLocked sends a push on a joined channel, and keeps it by its ref if its caller waits for the
// reply.
func (ch *Channel) sendLocked(p *push) {
	p.ref = ch.socket.nextRefLocked()
	if p.done != nil {
		if ch.pending == nil {
			ch.pending = map[string]*push{}
		}
		ch.pending[p.ref] = p
	}
	ch.socket.link.sendLocked(wire.Message{
		JoinRef: wire.StringRef(ch.joinRef), Ref: wire.StringRef(p.ref), Topic: ch.topic, Event: p.event, Payload: p.payload,
	})
}

// forgetLocked drops a push whose caller has stopped waiting.
func (ch *Channel) forgetLocked(p *push) {
	p.over = true
	if ch.pending[p.ref] == p {
		delete(ch.pending, p.ref)
		return
	}
	n := len(ch.buffer)
	if ch.buffer = without(ch.buffer, p); len(ch.buffer) < n {
		ch.socket.buffered.remove(p.payload)
	}
}

// encodable returns the error for a binary message that the version of the protocol cannot carry:
// version 1 carries none, and version 2 has one byte for the length of the topic and the event. It is
// checked early, so that the caller gets the error.
func (s *Socket) encodable(topic, event string, p Payload) error {
	if !p.Binary {
		return nil
	}
	_, _, err := s.serializer.Append(nil, &wire.Message{Topic: topic, Event: event, Payload: Payload{Binary: true}})
	return err
}
