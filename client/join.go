package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bennu-go/bennu/wire"
)

// errNoParams is a function of params that never returned.
var errNoParams = errors.New("client: params of a join: the function called runtime.Goexit")

// joinEnd is the answer to the first join.
type joinEnd struct {
	reply Reply
	err   error
}

// Join joins the channel and waits for the server's answer. It is called once; a join
// that waits for the connection is sent when the socket is open. Another channel of the socket
// on the same topic is left first.
//
// The error is a [*ReplyError] when the server refuses, [ErrTimeout], a
// [*ChannelError], [ErrLeft], [ErrEnded], what the socket ended with, the error of
// the function of params, or the cause of ctx. Whatever it is, the channel goes on trying
// in the background until it is left: [Channel.On] and [Trace] tell when it has
// joined. Call [Channel.Leave] to give up.
func (ch *Channel) Join(ctx context.Context) (Reply, error) {
	if ch.paramsErr != nil {
		return Reply{}, ch.paramsErr
	}
	s := ch.socket
	s.mu.Lock()
	switch {
	case ch.ended != nil:
		s.mu.Unlock()
		return Reply{}, ch.ended
	case ch.asked:
		s.mu.Unlock()
		return Reply{}, ErrJoined
	case s.closing:
		err := s.endedLocked()
		ch.closeLocked(err)
		s.mu.Unlock()
		return Reply{}, err
	}
	ch.asked = true
	first := make(chan joinEnd, 1)
	ch.first = first
	ch.addLocked()
	ch.joinLocked()
	s.mu.Unlock()

	timeout := time.NewTimer(s.opts.Timeout)
	defer timeout.Stop()
	select {
	case end := <-first:
		return end.reply, end.err
	case <-timeout.C:
		return Reply{}, ErrTimeout
	case <-ctx.Done():
		return Reply{}, context.Cause(ctx)
	}
}

// Join is [Channel.Join] with the reply decoded into Out, as by [Payload.Decode].
func Join[Out any](ctx context.Context, ch *Channel) (out Out, err error) {
	return decodeReply[Out](ch.Join(ctx))
}

// joinLocked begins a join.
func (ch *Channel) joinLocked() {
	s := ch.socket
	for _, other := range s.topics[ch.topic] {
		if other != ch {
			other.leaveLocked()
		}
	}
	ch.timer.stop()
	ch.round++
	ch.slow = false
	ch.setLocked(StateJoining, nil)
	ch.joinRef = ""
	ch.timer = s.afterLocked(s.opts.Timeout, func(t *timer) {
		if ch.timer == t && ch.state == StateJoining {
			ch.giveUpLocked(ErrTimeout)
		}
	})
	if s.link != nil {
		ch.sendJoinLocked()
	}
}

// sendJoinLocked sends phx_join, when its params are there. Of a function that hangs
// there is one call: when that returns, what it gave is out of date and it is called anew.
func (ch *Channel) sendJoinLocked() {
	if ch.paramsFunc == nil {
		ch.sendJoinWithLocked(ch.params)
		return
	}
	if ch.evaluating {
		return
	}
	ch.evaluating = true
	s, round, l := ch.socket, ch.round, ch.socket.link
	s.tasks.Go(func() {
		var (
			params wire.Payload
			err    = errNoParams // the function may end this goroutine
		)
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			ch.evaluating = false
			ch.evaluatedLocked(params, err, ch.round == round && s.link == l)
		}()
		params, err = ch.evaluate()
	})
}

// evaluatedLocked goes on with a join whose params are there.
func (ch *Channel) evaluatedLocked(params wire.Payload, err error, current bool) {
	switch {
	case ch.state != StateJoining || ch.joinRef != "" || ch.socket.link == nil:
	case !current:
		ch.sendJoinLocked()
	case err != nil:
		ch.errorLocked(err)
	default:
		ch.sendJoinWithLocked(params)
	}
}

func (ch *Channel) sendJoinWithLocked(params wire.Payload) {
	ch.joinRef = ch.socket.nextRefLocked()
	ref := wire.StringRef(ch.joinRef)
	ch.socket.link.sendLocked(wire.Message{JoinRef: ref, Ref: ref, Topic: ch.topic, Event: wire.EventJoin, Payload: params})
}

// evaluate calls the function of params.
func (ch *Channel) evaluate() (p wire.Payload, err error) {
	ctx, cancel := context.WithTimeout(ch.socket.ctx, ch.socket.opts.Timeout)
	defer cancel()
	var v any
	if panicked := ch.socket.guard(func() { v, err = ch.paramsFunc(ctx) }); panicked != nil {
		return p, panicked
	}
	if err != nil {
		return p, fmt.Errorf("client: params of a join: %w", err)
	}
	if p, err = encode(v); err != nil {
		return p, err
	}
	return p, ch.socket.encodable(ch.topic, wire.EventJoin, p)
}

// openLocked is called when the socket has opened.
func (ch *Channel) openLocked() {
	ch.rejoinTries = 0
	switch {
	case ch.state == StateJoining && ch.joinRef == "":
		ch.round++
		ch.sendJoinLocked()
	case ch.state == StateErrored && ch.slow && len(ch.box.items) > 0:
		ch.rejoinLocked()
	case ch.state == StateErrored:
		ch.joinLocked()
	}
}

// joinedLocked takes the server's yes.
func (ch *Channel) joinedLocked(r Reply) {
	ch.timer.stop()
	ch.timer = nil
	ch.joinedAt = time.Now()
	ch.setLocked(StateJoined, nil)
	ch.answerLocked(joinEnd{reply: r})
	waiting := ch.buffer
	ch.buffer = nil
	for _, p := range waiting {
		ch.socket.buffered.remove(p.payload)
		ch.sendLocked(p)
	}
}

// answerLocked answers the caller of Join.
func (ch *Channel) answerLocked(end joinEnd) {
	if ch.first != nil {
		ch.first <- end
		ch.first = nil
	}
}

// rejoinLocked sets the timer for the next join. Without a connection the next join is
// made when there is one.
func (ch *Channel) rejoinLocked() {
	s := ch.socket
	if s.link == nil {
		return
	}
	ch.rejoinTries++
	try, round := ch.rejoinTries, ch.round
	s.tasks.Go(func() {
		d := rejoinTable.at(try)
		s.guard(func() { d = s.opts.RejoinAfter(try) })
		s.mu.Lock()
		defer s.mu.Unlock()
		if ch.round != round || ch.state != StateErrored {
			return
		}
		ch.timer.stop()
		ch.timer = s.afterLocked(d, func(t *timer) {
			switch {
			case ch.timer != t || ch.state != StateErrored || s.link == nil:
			case ch.slow && len(ch.box.items) > 0:
				ch.rejoinLocked()
			default:
				ch.joinLocked()
			}
		})
	})
}

// Leave leaves the channel, for good. For the program the channel is closed at once; Leave then
// waits for the server to say so too, unless it has no connection. Events that
// came and were not handled yet are dropped.
//
// The error is [ErrTimeout], [*InterruptedError] or the cause of ctx: the
// channel is left in any case, and the server notices at the latest when the
// connection ends.
func (ch *Channel) Leave(ctx context.Context) error {
	s := ch.socket
	s.mu.Lock()
	joinRef := ch.joinRef
	ref := ch.leaveLocked()
	if ref == "" {
		s.mu.Unlock()
		return nil
	}
	w := s.waitLocked(ref, ch.topic, joinRef)
	s.mu.Unlock()
	return s.await(ctx, ref, w)
}

// leaveLocked leaves without waiting. It returns the ref of the message that says so
// to the server, or "".
func (ch *Channel) leaveLocked() (ref string) {
	if ch.ended != nil {
		return ""
	}
	ref = ch.sendLeaveLocked()
	ch.box.clearLocked()
	ch.closeLocked(ErrLeft)
	return ref
}
