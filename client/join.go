package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// errNoParams is the error of a function of params that did not return.
var errNoParams = errors.New("client: params of a join: the function called runtime.Goexit")

// joinEnd is the result of the first join, for the caller of Join. Later joins have no caller; their
// failures go to OnError.
type joinEnd struct {
	reply Reply
	err   error
}

// Join joins the channel and waits for the server's answer, up to Options.Timeout. It can be called
// once. If the socket is not connected, the join is sent when it is. Another channel of the socket
// on the same topic is left first: Phoenix has one channel for each topic of a connection.
//
// The error is a [*ReplyError] if the server refuses, [ErrTimeout], [ErrCrashed], [ErrLeft],
// [ErrEnded], the error with which the socket ended, the error of params, or the cause of ctx.
// Unless the channel or the socket has ended, the channel goes on trying in the background until
// [Channel.Leave] is called.
func (ch *Channel) Join(ctx context.Context) (Reply, error) {
	if ch.paramsErr != nil {
		return Reply{}, ch.paramsErr
	}
	s := ch.socket
	s.mu.Lock()
	switch {
	case ch.resume != nil && !isObject(ch.params):
		s.mu.Unlock()
		return Reply{}, errNoObject
	case ch.ended != nil:
		s.mu.Unlock()
		return Reply{}, ch.ended
	case ch.asked:
		s.mu.Unlock()
		return Reply{}, errJoined
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

// Join is [Channel.Join] with the response decoded into Out.
func Join[Out any](ctx context.Context, ch *Channel) (out Out, err error) {
	return decodeReply[Out](ch.Join(ctx))
}

// joinLocked begins a join, and starts its timeout. If there is no connection, openLocked sends the
// join later.
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

// sendJoinLocked sends phx_join, after a call of the function of params if there is one. It does not
// call the function while an earlier call runs: when that returns, evaluatedLocked discards a result
// that is for an earlier join and calls the function again.
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
			params Payload
			err    = errNoParams // if the function calls runtime.Goexit
		)
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			ch.evaluating = false
			current := ch.round == round && s.link == l
			ch.evaluatedLocked(params, err, current)
		}()
		params, err = ch.evaluate()
	})
}

// evaluatedLocked goes on with a join after the function of params has returned. current is false if
// the function was called for an earlier join or connection.
func (ch *Channel) evaluatedLocked(params Payload, err error, current bool) {
	switch {
	case ch.state != StateJoining || ch.joinRef != "" || ch.socket.link == nil: // no join waits for params
	case !current:
		ch.sendJoinLocked()
	case err != nil:
		ch.errorLocked(err)
	default:
		ch.sendJoinWithLocked(params)
	}
}

// sendJoinWithLocked sends phx_join. Its ref is also the join_ref of this join: messages of an earlier
// join have another.
func (ch *Channel) sendJoinWithLocked(params Payload) {
	if ch.resume != nil {
		var err error
		if params, err = withSince(params, ch.socket.opts.SinceParam, ch.resume.at); err != nil {
			ch.errorLocked(err)
			return
		}
	}
	ch.joinRef = ch.socket.nextRefLocked()
	ref := wire.StringRef(ch.joinRef)
	ch.socket.link.sendLocked(wire.Message{JoinRef: ref, Ref: ref, Topic: ch.topic, Event: protocol.EventJoin, Payload: params})
}

// evaluate calls the function of params, and encodes its result.
func (ch *Channel) evaluate() (p Payload, err error) {
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
	if ch.resume != nil && !isObject(p) {
		return p, errNoObject
	}
	return p, ch.socket.encodable(ch.topic, protocol.EventJoin, p)
}

// openLocked is called when the socket has connected. The channel joins without a delay, unless it went
// down with ErrSlow and its callbacks still have messages to handle: it would fall behind again.
func (ch *Channel) openLocked() {
	ch.rejoinTries = 0
	if ch.resume != nil {
		ch.resume.next = position{} // the cut was between the two
	}
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

// joinedLocked handles the reply "ok" to a join, and sends the pushes that were waiting for it.
func (ch *Channel) joinedLocked(r Reply) {
	ch.timer.stop()
	ch.timer = nil
	ch.joinedAt = time.Now()
	if ch.resume != nil {
		ch.resume.fenced = false
	}
	ch.setLocked(StateJoined, nil)
	ch.answerLocked(joinEnd{reply: r})
	waiting := ch.buffer
	ch.buffer = nil
	for _, p := range waiting {
		ch.socket.buffered.remove(p.payload)
		ch.sendLocked(p)
	}
}

// answerLocked gives the caller of Join its result. Later calls have no effect.
func (ch *Channel) answerLocked(end joinEnd) {
	if ch.first != nil {
		ch.first <- end
		ch.first = nil
	}
}

// rejoinLocked sets the timer for the next join. RejoinAfter runs without the lock, so the channel may
// have changed when it returns. Without a connection there is no timer: openLocked joins.
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

// Leave ends the channel for good. Its callbacks get no more events, not even those that are queued;
// OnClose gets [ErrLeft]. If the channel was joined, Leave then waits for the server's answer, up to
// Options.Timeout.
//
// The error is [ErrTimeout], [ErrInterrupted] or the cause of ctx. The channel has ended on this
// side in any case; the server notices at the latest when the connection ends. Leave on a channel
// that has ended returns nil.
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

// leaveLocked is Leave without the wait. It returns the ref of the phx_leave, or "" if none was sent.
func (ch *Channel) leaveLocked() (ref string) {
	if ch.ended != nil {
		return ""
	}
	ref = ch.sendLeaveLocked()
	ch.box.clearLocked()
	ch.closeLocked(ErrLeft)
	return ref
}
