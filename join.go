package bennu

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/binframe"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// joinCall is one phx_join being carried out. While it is, it has the turn of its connection:
// the frames behind it wait.
//
// newJoin answers at once what needs no callback. Otherwise run retires the channel that the
// join replaces, waits for a slot of NodeLimits.Joins, and calls Join. Then one of four decides
// the outcome, whoever is first to win decide:
//
//	onReturn    Join has returned: the channel is joined, or the join refused
//	onPanic     Join has panicked, or called runtime.Goexit
//	onDeadline  Limits.JoinTimeout is over, and Join runs on
//	onClosed    the connection has ended, and Join runs on
//
// The winner makes the channel joined or ends it, answers unless the connection ends, and goes
// on with the frames that wait. The losers answer nothing: the instance that a late onReturn or
// onPanic has goes to the ended channel, for its Terminate, and the other two have nothing to do.
type joinCall struct {
	s   *Socket
	m   wire.Message
	old *Channel // the instance this join replaces, if any
	ch  *Channel
	// closing is the phx_close of the old instance. It goes out right after the
	// reply: a stock client that saw it first would close the new channel.
	closing transport.Frame

	decided atomic.Bool // the outcome; taken by decide
	timer   *time.Timer // calls onDeadline
	slot    atomic.Bool // of NodeLimits.Joins, until Join returns or is overdue
	// instance is what Join returned, so that it gets its Terminate also when a method of
	// the reply panics.
	instance Instance
}

// leaveGrace is how long a join waits for the leave before it, and what the
// client sent before that, to be handled. Then the leave is answered in the old
// instance's place.
const leaveGrace = time.Second

// newJoin prepares a join. A nil result means that it is answered already.
func (s *Socket) newJoin(m *wire.Message, old *Channel) *joinCall {
	call := &joinCall{s: s, m: *m}
	if old != nil && !old.isClosed() {
		call.old = old
	} else if call.refused() {
		return nil // what needs no callback needs no goroutine
	}
	l := &s.handler.limits
	if !s.joinRate.Take(s.node.now(), l.JoinBurst, l.JoinRate) {
		s.at(m.Topic, m.Event).say(notice.TooManyJoins, slog.Int("burst", l.JoinBurst), slog.Int("per_second", l.JoinRate))
		call.answer(m.JoinRef, wire.StatusError, tooManyJoins)
		return nil
	}
	return call
}

// run carries out one join. It reports false when another goroutine has the turn now, because it
// has decided the outcome, or is about to.
func (j *joinCall) run() (mine bool) {
	if j.old != nil {
		j.retire()
		if j.refused() {
			return true
		}
	}
	if !j.takeSlot() {
		return true
	}
	defer j.callbackOver() // also when the callback panics
	if !j.start() {
		return true
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		// Join panicked, or ended this goroutine with runtime.Goexit. What is left
		// needs a goroutine that still runs.
		reason := newPanicError(recover())
		mine = false
		j.s.node.tasks.Go(func() { j.onPanic(reason) })
	}()
	out := j.call()
	returned = true
	return j.onReturn(out)
}

// retire ends the instance that the join replaces.
func (j *joinCall) retire() {
	old := j.old
	if gone, ref := old.awaitLeave(); gone != nil {
		timer := time.NewTimer(leaveGrace)
		defer timer.Stop()
		select {
		case <-gone:
		case <-timer.C:
			old.close(ref, Reply{Status: wire.StatusOK}, ErrLeft)
		}
		return
	}
	if !old.end(ErrDuplicateJoin, nil) {
		return // it ended by itself, and the client was told
	}
	if f, err := old.endFrame(wire.EventClose, emptyObject); err == nil {
		j.closing = f
	} else {
		j.at().say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
}

// refused answers a join that no callback needs to look at.
func (j *joinCall) refused() bool {
	s := j.s
	switch {
	case j.m.OddTopic != "" || s.handler.match(j.m.Topic) == nil:
		j.at().say(notice.Unmatched, s.handler.hint(&j.m)...)
		j.answer("", wire.StatusError, unmatchedTopic)
	case s.late.full(j.m.Topic, s.handler.limits.LateCallbacks, s.handler.limits.Topics):
		j.at().say(notice.LateCallbacks, slog.Int("limit", s.handler.limits.LateCallbacks))
		j.answer(j.m.JoinRef, wire.StatusError, busy)
	case s.handler.route(j.m.Topic).late.full(j.m.Topic, s.node.admission.limits.LateCallbacks, s.node.admission.limits.LateCallbacks):
		j.at().say(notice.LateCallbacks, slog.Int("limit", s.node.admission.limits.LateCallbacks))
		j.answer(j.m.JoinRef, wire.StatusError, busy)
	case s.handler.route(j.m.Topic).joinsHang(s.node.admission.limits.Joins):
		j.at().say(notice.LateCallbacks, slog.Int("limit", s.node.admission.limits.Joins))
		j.answer(j.m.JoinRef, wire.StatusError, busy)
	case !s.hasRoom():
		j.at().say(notice.TooManyTopics, slog.Int("limit", s.handler.limits.Topics))
		j.answer(j.m.JoinRef, wire.StatusError, tooManyChannels)
	default:
		return false
	}
	return true
}

// start makes the channel and arms the deadline. It reports false when the connection has ended:
// then there is nothing to do. From here on the outcome may be decided at any time.
func (j *joinCall) start() bool {
	s := j.s
	j.ch = &Channel{socket: s, topic: j.m.Topic, joinRef: j.m.JoinRef, joinRuns: true}
	if j.m.JoinRef.IsNull() {
		j.ch.joinRef, j.ch.joinedNull = j.m.Ref, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.turn.joining = j
	j.timer = time.AfterFunc(s.handler.limits.JoinTimeout, j.onDeadline)
	return true
}

// outcome is what a Join has returned, ready to be acted on.
type outcome struct {
	reply transport.Frame // answers the join
	err   error           // why the join is refused, or nil
	fatal error           // why there is no reply, or nil: a Disconnect, or an error of encoding
}

// call calls Join and encodes its reply. Values and errors of the application have methods,
// which may panic as its Join may, so encoding is a part of the callback. So is Intercepts.
func (j *joinCall) call() (out outcome) {
	ctx := j.ch.handlerContext(&item{kind: itemJoin, ref: j.m.Ref})
	payload := j.m.Payload
	j.m.Payload = Payload{} // a Join that runs on shall not keep what it does not need
	instance, reply, err := j.s.handler.match(j.m.Topic).Join(ctx, j.ch, payload)
	out.err = withoutNil(err)
	if nils.Is(instance) {
		instance = nil
	}
	if out.err == nil && instance == nil {
		out.err = errors.New("bennu: Join returned neither an Instance nor an error")
	}
	j.instance = instance
	out.reply, out.fatal = j.encode(reply, out.err)
	if out.fatal == nil && !j.s.takes(out.reply) {
		out.err = j.at().refuse(out.reply)
		out.reply, out.fatal = j.encode(Reply{}, out.err)
	}
	if out.err == nil && out.fatal == nil {
		j.ch.subscribe(instance.Intercepts())
	}
	return out
}

// encode makes the frame that answers the join. An error is a Disconnect, or says why there is
// no frame.
func (j *joinCall) encode(reply Reply, err error) (transport.Frame, error) {
	status := wire.StatusOK
	if err != nil {
		if d, ok := asDisconnect(err); ok {
			return transport.Frame{}, d
		}
		status, reply = wire.StatusError, j.s.errorReply(j.at(), err, false)
	}
	p, err := encode(reply.Response)
	if err != nil {
		return transport.Frame{}, err
	}
	return j.s.replyFrame(&j.m, j.m.JoinRef, status, p)
}

// The four that decide.

// decide reports whether the caller is the first, who decides the outcome.
func (j *joinCall) decide() bool {
	if !j.decided.CompareAndSwap(false, true) {
		return false
	}
	j.timer.Stop()
	return true
}

// onReturn follows a Join that has returned. It reports whether it has decided the outcome, and
// so whether this goroutine still has the turn.
func (j *joinCall) onReturn(out outcome) (mine bool) {
	switch {
	case !j.decide():
		j.ch.joinReturned(j.instance)
		return false
	case out.fatal != nil && endsConnection(out.fatal):
		j.hangUp(out.fatal)
	case out.fatal != nil:
		j.unsendable(out.fatal)
	case out.err != nil:
		j.ch.drop(out.err, j.instance)
		j.send(out.reply)
	default:
		j.accept(out.reply)
	}
	return true
}

// onPanic follows a Join that has panicked.
func (j *joinCall) onPanic(reason *PanicError) {
	j.ch.joinReturned(j.instance)
	if j.decide() {
		j.fail(reason)
	}
}

// onDeadline is called by the timer. Join runs on, and its context has ended.
func (j *joinCall) onDeadline() {
	// Not decide, which reads j.timer: start may not have set it yet.
	if j.decided.CompareAndSwap(false, true) {
		j.s.node.tasks.Go(func() { j.fail(ErrJoinTimeout) })
	}
}

// onClosed follows the end of the connection. Join runs on, and its context has ended.
func (j *joinCall) onClosed(reason error) {
	if j.decide() {
		j.ch.end(reason, nil)
		j.overdue()
		j.s.runJoins(j.s.nextJoin())
	}
}

// The outcomes.

// accept makes the channel joined: the reply is the first frame of the instance, and what was
// broadcast since its subscription follows.
func (j *joinCall) accept(reply transport.Frame) {
	s, c := j.s, j.ch
	gone := s.insert(c)

	c.mu.Lock()
	if gone == nil && c.state == joining {
		defer c.mu.Unlock()
		j.send(reply)
		c.openLocked(j.instance)
		return
	}
	c.mu.Unlock()
	s.forget(c)
	c.drop(gone, j.instance)
	if gone == nil {
		// More was meant for the channel than it may hold, which was said, or the
		// connection ends at this moment.
		j.answer(j.m.JoinRef, wire.StatusError, joinCrashed)
	}
}

// endsConnection reports whether the connection ends for want of a reply: the application asked
// for that, or a ref of the client's has no room in a binary message, for which Phoenix closes.
func endsConnection(fatal error) bool {
	switch fatal.(type) {
	case Disconnect, *binframe.FieldError:
		return true
	}
	return false
}

// hangUp ends the connection over a join.
func (j *joinCall) hangUp(reason error) {
	code := transport.CloseInternalError
	if d, ok := reason.(Disconnect); ok {
		code = d.code()
	} else {
		j.at().say(notice.JoinReply, slog.String("error", textOf(reason)), slog.Int("code", int(code)))
	}
	j.ch.drop(reason, j.instance)
	j.s.close(code, reason)
}

// unsendable ends a join whose reply does not encode, and no more than that.
func (j *joinCall) unsendable(reason error) {
	j.s.node.stats.joinCrashes.Add(1)
	j.at().say(notice.JoinReply, slog.String("error", textOf(reason)))
	j.ch.drop(reason, j.instance)
	j.answer(j.m.JoinRef, wire.StatusError, joinCrashed)
}

// fail ends a join that panicked or took too long, and goes on with the frames that wait.
func (j *joinCall) fail(reason error) {
	s := j.s
	s.node.stats.joinCrashes.Add(1)
	if why := errorAttrs(reason); reason == ErrJoinTimeout { // not errors.Is: a panic may hold an error whose methods panic
		j.at().say(notice.JoinTimeout, append(why, slog.Duration("limit", s.handler.limits.JoinTimeout))...)
	} else {
		j.at().say(notice.JoinCrash, why...)
	}
	j.ch.end(reason, nil)
	j.overdue()
	j.answer(j.m.JoinRef, wire.StatusError, joinCrashed)
	s.runJoins(s.nextJoin())
}

// at is the join as a place for the log.
func (j *joinCall) at() place { return place{s: j.s, topic: j.m.Topic, callback: "join"} }

// answer sends the reply to the join, then the phx_close of the old instance.
func (j *joinCall) answer(joinRef wire.Ref, status string, response Payload) {
	j.s.reply(&j.m, joinRef, status, response)
	j.sendClosing()
}

// send is answer with a frame that is made already.
func (j *joinCall) send(f transport.Frame) {
	j.s.conn.Send(f)
	j.sendClosing()
}

func (j *joinCall) sendClosing() {
	if j.closing.Len() > 0 {
		j.s.conn.Send(j.closing)
	}
}
