package client

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/wire"
)

// push is an event for the server.
type push struct {
	event   string
	payload wire.Payload
	ref     string // when it was sent
	// done is closed when there is an end; nil when nobody waits.
	done  chan struct{}
	over  bool
	reply Reply
	err   error
}

// finish is called with the socket's lock held.
func (p *push) finish(r Reply, err error) {
	if p.over {
		return
	}
	p.over, p.reply, p.err = true, r, err
	if p.done != nil {
		close(p.done)
	}
}

// Push sends an event and waits for the reply. payload is any value that encodes as
// JSON, nil for an empty object, a [json.RawMessage], or [Binary]. While the channel
// is not joined the push is kept, its time already running, and sent when it is.
//
// A reply with another status than "ok" comes with a [*ReplyError]. The other errors
// are [ErrEvent], [ErrTimeout], [*InterruptedError], [ErrBufferFull], [ErrNotJoined], what the channel or
// socket ended with, those of encoding, and the cause of ctx. When ctx or the
// time is over the push is given up: it is not sent any more, or its reply is ignored.
func (ch *Channel) Push(ctx context.Context, event string, payload any) (Reply, error) {
	s := ch.socket
	if ctx.Err() != nil {
		return Reply{}, context.Cause(ctx)
	}
	p := &push{event: event, done: make(chan struct{})}
	if err := ch.give(p, payload); err != nil {
		return Reply{}, err
	}
	timeout := time.NewTimer(s.opts.Timeout)
	defer timeout.Stop()
	var err error
	select {
	case <-p.done:
		return p.reply, p.err
	case <-timeout.C:
		err = ErrTimeout
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.over { // just now
		return p.reply, p.err
	}
	ch.forgetLocked(p)
	return Reply{}, err
}

// Push is [Channel.Push] with the reply decoded into Out, as by [Payload.Decode].
func Push[Out any](ctx context.Context, ch *Channel, event string, payload any) (out Out, err error) {
	return decodeReply[Out](ch.Push(ctx, event, payload))
}

func decodeReply[Out any](r Reply, err error) (out Out, _ error) {
	if err != nil {
		return out, err
	}
	return out, r.Decode(&out)
}

// Send sends an event and does not wait; there is no telling whether it arrives. It is kept
// while the channel is not joined, for as long as that takes. The errors are those
// of [Channel.Push] that need no waiting.
func (ch *Channel) Send(event string, payload any) error {
	return ch.give(&push{event: event}, payload)
}

// give takes a push over.
func (ch *Channel) give(p *push, payload any) (err error) {
	if p.payload, err = encode(payload); err != nil {
		return err
	}
	s := ch.socket
	if err := s.encodable(ch.topic, p.event, p.payload); err != nil {
		return err
	}
	if fault := event.Fault(p.event); fault != "" {
		return &eventError{fault}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ch.ended != nil:
		return ch.ended
	case s.closing:
		return s.endedLocked()
	case !ch.asked:
		return ErrNotJoined
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

// sendLocked sends a push on a joined channel.
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

// forgetLocked gives a push up.
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

// encodable reports why a message has no form in the version that is spoken.
func (s *Socket) encodable(topic, event string, p wire.Payload) error {
	if !p.Binary {
		return nil
	}
	_, _, err := s.serializer.Append(nil, &wire.Message{Topic: topic, Event: event, Payload: wire.Payload{Binary: true}})
	return err
}
