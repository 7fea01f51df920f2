package bennu

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/binframe"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// joinCall is one phx_join that is being carried out. It has the turn of its connection until its
// outcome is decided: later frames wait until then.
//
// newJoin refuses at once when no callback is needed for that. Otherwise run ends the channel that
// the join replaces, waits for a slot of NodeLimits.Joins, and calls Join. Each of these two waits
// takes a second at most, and comes before JoinTimeout begins. Then one of four functions decides
// the outcome: the first that calls the method decide.
//
//	onReturn    Join has returned: the channel is joined, or the join is refused
//	onPanic     Join has panicked, or called runtime.Goexit
//	onDeadline  Limits.JoinTimeout has passed, and Join runs on
//	onClosed    the connection has ended, and Join runs on
//
// The winner makes the channel joined or ends it, answers unless the connection ends, and continues
// with the frames that wait. The losers answer nothing. A late onReturn or onPanic hands its
// instance to the ended channel, for its Terminate; a late onDeadline or onClosed does nothing.
//
// A gap, for instance, may also end the channel while Join runs. The outcome is then still open:
// when Join returns, accept finds that the channel has ended, and answers.
type joinCall struct {
	s   *Socket
	m   wire.Message
	old *Channel // the channel that this join replaces, or nil
	ch  *Channel // the new one; nil before start
	// kept is for the new channel, if its topic has a history.
	kept *keptState
	// closing is the phx_close of the old channel, or empty. It is sent right after the reply: a
	// stock client that got it first would close the new channel.
	closing transport.Frame

	decided atomic.Bool // the outcome is decided; set by the winner
	timer   *time.Timer // calls onDeadline
	slot    atomic.Bool // holds a slot of NodeLimits.Joins; see joinslot.go
	// instance is the result of Join. It is kept here so that it gets its Terminate even when
	// encoding the reply panics.
	instance Instance
}

// leaveGrace bounds how long a join waits for a leave of the same topic that the old channel has
// not handled yet. After that the join answers the leave in place of the old channel.
const leaveGrace = time.Second

// newJoin prepares a join. old is the channel on its topic, or nil. It returns nil when it has
// answered the join already.
func (s *Socket) newJoin(m *wire.Message, old *Channel) *joinCall {
	call := &joinCall{s: s, m: *m}
	if old != nil && !old.isClosed() {
		call.old = old
	} else if call.refuseEarly() {
		return nil // without a goroutine
	}
	l := &s.handler.limits
	// Joins that are refused above do not count: they cost nothing.
	if !s.joinRate.Take(s.node.now(), l.JoinBurst, l.JoinRate) {
		s.at(m.Topic, m.Event).say(notice.TooManyJoins, slog.Int("burst", l.JoinBurst), slog.Int("per_second", l.JoinRate))
		call.answer(m.JoinRef, protocol.StatusError, tooManyJoins)
		return nil
	}
	return call
}

// run carries out the join. It reports whether this goroutine still has the turn. It has lost it if
// onPanic, onDeadline or onClosed has decided the outcome, or onPanic is about to.
func (j *joinCall) run() (mine bool) {
	if j.old != nil {
		j.retire()
		if j.refuseEarly() {
			return true
		}
	}
	if j.s.node.keeping != nil && j.keep() {
		return true
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
		// Join panicked, or ended this goroutine with runtime.Goexit. The rest needs a goroutine
		// that is not ending.
		reason := newPanicError(recover())
		mine = false
		j.s.node.tasks.Go(func() { j.onPanic(reason) })
	}()
	out := j.call()
	returned = true
	return j.onReturn(out)
}

// retire ends the channel that the join replaces: it waits for a leave that is in its mailbox, for
// leaveGrace at most, or ends it with ErrDuplicateJoin.
func (j *joinCall) retire() {
	old := j.old
	if gone, ref := old.awaitLeave(); gone != nil {
		timer := time.NewTimer(leaveGrace)
		defer timer.Stop()
		select {
		case <-gone:
		case <-timer.C:
			old.close(ref, Reply{Status: protocol.StatusOK}, ErrLeft)
		}
		return
	}
	if !old.end(ErrDuplicateJoin, nil) {
		return // it ended by itself, and the client was told
	}
	if f, err := old.endFrame(protocol.EventClose, emptyObject); err == nil {
		j.closing = f
	} else {
		j.at().say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
}

// refuseEarly checks the join against patterns and limits, which needs no callback. If they forbid
// the join, it answers it and reports true.
func (j *joinCall) refuseEarly() bool {
	s := j.s
	switch {
	case j.m.OddTopic != "" || s.handler.match(j.m.Topic) == nil:
		j.at().say(notice.Unmatched, s.handler.hint(&j.m)...)
		j.answer("", protocol.StatusError, unmatchedTopic)
	case s.late.full(j.m.Topic, s.handler.limits.LateCallbacks, s.handler.limits.Topics):
		j.at().say(notice.LateCallbacks, slog.Int("limit", s.handler.limits.LateCallbacks))
		j.answer(j.m.JoinRef, protocol.StatusError, busy)
	case s.handler.route(j.m.Topic).late.full(j.m.Topic, s.node.admission.limits.LateCallbacks, s.node.admission.limits.LateCallbacks):
		j.at().say(notice.LateCallbacks, slog.Int("limit", s.node.admission.limits.LateCallbacks))
		j.answer(j.m.JoinRef, protocol.StatusError, busy)
	case s.handler.route(j.m.Topic).joinsHang(s.node.admission.limits.Joins):
		j.at().say(notice.LateCallbacks, slog.Int("limit", s.node.admission.limits.Joins))
		j.answer(j.m.JoinRef, protocol.StatusError, busy)
	case !s.hasRoom():
		j.at().say(notice.TooManyTopics, slog.Int("limit", s.handler.limits.Topics))
		j.answer(j.m.JoinRef, protocol.StatusError, tooManyChannels)
	default:
		return false
	}
	return true
}

// start makes the channel and starts the timer of the deadline. It reports false when the
// connection has ended, and nothing is left to do. From here on the outcome may be decided at any
// time.
func (j *joinCall) start() bool {
	s := j.s
	j.ch = &Channel{socket: s, topic: j.m.Topic, joinRef: j.m.JoinRef, joinRuns: true, kept: j.kept}
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

// outcome is the result of Join, encoded.
type outcome struct {
	reply transport.Frame // the answer to the join, whether joined or refused
	err   error           // why the join is refused, or nil
	fatal error           // why there is no reply, or nil: a Disconnect, or an error of encoding
}

// call calls Join and encodes its reply. Values and errors of the application have methods that may
// panic as Join may, so encoding is done here, where a panic counts as one of Join. The same holds
// for Intercepts. If all went well, the channel is subscribed to its topic.
func (j *joinCall) call() (out outcome) {
	ctx := j.ch.handlerContext(&item{kind: itemJoin, ref: j.m.Ref})
	payload := j.m.Payload
	j.m.Payload = Payload{} // frees the memory if Join runs on for long
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
	if out.fatal == nil {
		if fault := j.at().checkFrame(out.reply); fault != nil {
			out.err = fault
			out.reply, out.fatal = j.encode(Reply{}, fault)
		}
	}
	if out.err == nil && out.fatal == nil {
		j.ch.subscribe(instance.Intercepts())
	}
	return out
}

// encode returns the frame that answers the join. The error is a Disconnect, or the reason why
// there is no frame.
func (j *joinCall) encode(reply Reply, err error) (transport.Frame, error) {
	status := protocol.StatusOK
	if err != nil {
		if verdict, d := verdictOfJoin(err); verdict == verdictDisconnect {
			return transport.Frame{}, d
		}
		status, reply = protocol.StatusError, j.s.errorReply(j.at(), err, false)
	}
	p, err := encode(reply.Response)
	if err != nil {
		return transport.Frame{}, err
	}
	return j.s.replyFrame(&j.m, j.m.JoinRef, status, p)
}

// The four that decide.

// decide reports whether the caller is the first to call it. If so, the caller decides the outcome.
func (j *joinCall) decide() bool {
	if !j.decided.CompareAndSwap(false, true) {
		return false
	}
	j.timer.Stop()
	return true
}

// onReturn is called when Join has returned. It reports whether it has decided the outcome, and so
// whether this goroutine still has the turn.
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

// onPanic is called when Join has panicked, or called runtime.Goexit.
func (j *joinCall) onPanic(reason *PanicError) {
	j.ch.joinReturned(j.instance)
	if j.decide() {
		j.fail(reason)
	}
}

// onDeadline is called by the timer. Join runs on; its context is cancelled when fail ends the
// channel.
func (j *joinCall) onDeadline() {
	// decide would read j.timer, which start may not have set yet.
	if j.decided.CompareAndSwap(false, true) {
		j.s.node.tasks.Go(func() { j.fail(ErrJoinTimeout) })
	}
}

// onClosed is called when the connection has ended. Join runs on; its context is cancelled when the
// channel ends.
func (j *joinCall) onClosed(reason error) {
	if j.decide() {
		j.ch.end(reason, nil)
		j.overdue()
		j.s.runJoins(j.s.nextJoin())
	}
}

// The outcomes.

// accept makes the channel joined. The reply is the first frame of the channel, and the broadcasts
// that it held since its subscription follow. If the channel has ended while Join ran, the answer
// is "join crashed".
func (j *joinCall) accept(reply transport.Frame) {
	s, c := j.s, j.ch
	gone := s.insert(c)
	if gone == nil && c.kept.isFollower() && j.acceptKept(reply) {
		return
	}
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
		// The channel has ended while Join ran, for a reason that is logged: it held too many
		// broadcasts or messages, it may have missed messages of other nodes, or Go or AfterEnd was
		// called with nil. Or the connection is ending.
		j.answer(j.m.JoinRef, protocol.StatusError, joinCrashed)
	}
}

// endsConnection reports whether a join without a reply ends the connection: the application
// returned a Disconnect, or a ref of the client is too long for a binary message, in which case
// Phoenix closes the connection too.
func endsConnection(fatal error) bool {
	switch fatal.(type) {
	case Disconnect, *binframe.FieldError:
		return true
	}
	return false
}

// hangUp ends the connection because of a join.
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

// unsendable ends a join whose reply does not encode. The connection stays open.
func (j *joinCall) unsendable(reason error) {
	j.s.node.stats.joinCrashes.Add(1)
	j.at().say(notice.JoinReply, slog.String("error", textOf(reason)))
	j.ch.drop(reason, j.instance)
	j.answer(j.m.JoinRef, protocol.StatusError, joinCrashed)
}

// fail ends a join that panicked or took too long, answers "join crashed", and continues with the
// frames that wait. It counts a Join that runs on as overdue.
func (j *joinCall) fail(reason error) {
	s := j.s
	s.node.stats.joinCrashes.Add(1)
	if why := errorAttrs(reason); reason == ErrJoinTimeout { // errors.Is could call methods that panic
		j.at().say(notice.JoinTimeout, append(why, slog.Duration("limit", s.handler.limits.JoinTimeout))...)
	} else {
		j.at().say(notice.JoinCrash, why...)
	}
	j.ch.end(reason, nil)
	j.overdue()
	j.answer(j.m.JoinRef, protocol.StatusError, joinCrashed)
	s.runJoins(s.nextJoin())
}

// at returns the place of the join for the log.
func (j *joinCall) at() place { return place{s: j.s, topic: j.m.Topic, callback: "join"} }

// answer encodes and sends the reply to the join, then the phx_close of the old channel.
func (j *joinCall) answer(joinRef wire.Ref, status string, response Payload) {
	j.s.reply(&j.m, joinRef, status, response)
	j.sendClosing()
}

// send is answer for a reply that is encoded already.
func (j *joinCall) send(f transport.Frame) {
	j.s.conn.Send(f)
	j.sendClosing()
}

// sendClosing sends the phx_close of the old channel, if there is one.
func (j *joinCall) sendClosing() {
	if len(j.closing.Bytes()) > 0 {
		j.s.conn.Send(j.closing)
	}
}
