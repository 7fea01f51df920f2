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

// joinCall is one phx_join being carried out. While it is, it has the turn of its
// connection: the frames behind it wait.
type joinCall struct {
	s   *Socket
	m   wire.Message
	old *Channel // the instance this join replaces, if any
	ch  *Channel
	// closing is the phx_close of the old instance. It goes out right after the
	// reply: a stock client that saw it first would close the new channel.
	closing transport.Frame

	// settled is taken by whoever decides the outcome: the callback's return, its
	// panic, the deadline, or the end of the connection. Others then only clean up.
	settled  atomic.Bool
	timer    *time.Timer
	slot     atomic.Bool // of NodeLimits.Joins, until Join returns or is late
	returned bool
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

// startJoin gives the turn to a join, in a goroutine of its own: the connection
// goes on reading, so that it still answers pings.
func (s *Socket) startJoin(call *joinCall) {
	s.mu.Lock()
	s.turn = new(turn)
	s.mu.Unlock()
	s.begin()
	s.node.tasks.Go(func() { s.runJoins(call) })
}

// runJoins carries out a join, then what waited behind it, until nothing waits
// or the turn has gone to another goroutine.
func (s *Socket) runJoins(call *joinCall) {
	for call != nil && call.run() {
		call = s.nextJoin()
	}
}

// nextJoin handles the frames that waited up to the next join. When none is left
// it gives the turn back.
func (s *Socket) nextJoin() *joinCall {
	for {
		s.mu.Lock()
		s.turn.joining = nil
		f, ok := s.turn.inbox.pop()
		if !ok {
			if s.turn.settled != nil {
				close(s.turn.settled)
			}
			s.turn = nil
			s.mu.Unlock()
			s.end()
			return nil
		}
		s.mu.Unlock()
		call, resume := s.handle(f.op, f.data)
		if call != nil {
			return call
		}
		if resume != nil {
			<-resume // closed at the latest when that channel ends
		}
	}
}

// run carries out one join. It reports false when the turn has gone to another
// goroutine.
func (j *joinCall) run() (mine bool) {
	s := j.s
	if j.old != nil {
		j.retire()
		if j.refused() {
			return true
		}
	}
	if !s.node.admission.joins.Acquire(s.node.ctx) {
		j.at().say(notice.JoinsBusy, slog.Int("limit", s.node.admission.limits.Joins))
		j.answer(j.m.JoinRef, wire.StatusError, busy)
		return true
	}
	j.slot.Store(true)
	defer j.over() // also when the callback panics
	j.ch = &Channel{socket: s, topic: j.m.Topic, joinRef: j.m.JoinRef, joinRuns: true}
	if j.m.JoinRef.IsNull() {
		j.ch.joinRef, j.ch.joinedNull = j.m.Ref, true
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return true
	}
	s.turn.joining = j
	j.timer = time.AfterFunc(s.handler.limits.JoinTimeout, j.expire)
	s.mu.Unlock()

	defer func() {
		if j.returned {
			return
		}
		// Join panicked, or ended this goroutine with runtime.Goexit. What is left
		// needs a goroutine that still runs.
		reason := newPanicError(recover())
		mine = false
		s.node.tasks.Go(func() { j.crashed(reason) })
	}()
	ctx := j.ch.handlerContext(&item{kind: itemJoin, ref: j.m.Ref})
	payload := j.m.Payload
	j.m.Payload = Payload{} // a Join that runs on shall not keep what it does not need
	instance, reply, err := s.handler.match(j.m.Topic).Join(ctx, j.ch, payload)
	err = withoutNil(err)
	if nils.Is(instance) {
		instance = nil
	}
	if err == nil && instance == nil {
		err = errors.New("bennu: Join returned neither an Instance nor an error")
	}
	j.instance = instance
	f, fatal := j.encode(reply, err)
	if fatal == nil && !s.takes(f) {
		err = j.at().refuse(f)
		f, fatal = j.encode(Reply{}, err)
	}
	if err == nil && fatal == nil {
		j.ch.subscribe(instance.Intercepts())
	}
	j.returned = true

	switch {
	case !j.settle():
		j.ch.returned(instance)
		return false
	case fatal != nil && j.disconnects(fatal):
		j.hangUp(instance, fatal)
	case fatal != nil:
		j.unsendable(instance, fatal)
	case err != nil:
		j.ch.drop(err, instance)
		j.send(f)
	default:
		j.accept(instance, f)
	}
	return true
}

// encode makes the frame that answers the join. Values and errors of the
// application have methods, which may panic as its callback may, so this is a part
// of the callback. An error is a Disconnect, or says why there is no frame.
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
	return replyFrame(j.s.serializer, &wire.Reply{
		JoinRef: j.m.JoinRef, Ref: j.m.Ref, Topic: j.m.Topic, Status: status, Response: p,
	})
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

// settle reports whether the caller is the one to decide the outcome.
func (j *joinCall) settle() bool {
	if !j.settled.CompareAndSwap(false, true) {
		return false
	}
	j.timer.Stop()
	return true
}

// accept makes the channel joined: the reply is the first frame of the
// instance, and what was broadcast since its subscription follows.
func (j *joinCall) accept(instance Instance, reply transport.Frame) {
	s, c := j.s, j.ch
	gone := s.insert(c)

	c.mu.Lock()
	if gone != nil || c.state != joining {
		c.mu.Unlock()
		s.forget(c)
		c.drop(gone, instance)
		if gone == nil {
			// More was meant for the channel than it may hold, which was said, or the
			// connection ends at this moment.
			j.answer(j.m.JoinRef, wire.StatusError, joinCrashed)
		}
		return
	}
	defer c.mu.Unlock()
	c.joinRuns = false
	c.instance = instance
	j.send(reply)
	c.state = joined
	if x := c.extras; x != nil {
		for _, f := range x.held {
			s.conn.Send(f)
		}
		for _, t := range x.tasks {
			c.startTaskLocked(t)
		}
		x.held, x.heldBytes, x.tasks = nil, 0, nil
		if x.ctx == nil && x.others == nil && x.after == nil && x.going == 0 {
			c.extras = nil
		}
	}
	if !c.box.empty() {
		c.startLocked()
	}
}

// disconnects reports whether the connection ends for want of a reply: the application asked
// for that, or a ref of the client's has no room in a binary message, for which Phoenix closes.
func (j *joinCall) disconnects(fatal error) bool {
	switch fatal.(type) {
	case Disconnect, *binframe.FieldError:
		return true
	}
	return false
}

// hangUp ends the connection over a join.
func (j *joinCall) hangUp(instance Instance, reason error) {
	code := transport.CloseInternalError
	if d, ok := reason.(Disconnect); ok {
		code = d.code()
	} else {
		j.at().say(notice.JoinReply, slog.String("error", textOf(reason)), slog.Int("code", int(code)))
	}
	j.ch.drop(reason, instance)
	j.s.close(code, reason)
}

// unsendable ends a join whose reply does not encode, and no more than that.
func (j *joinCall) unsendable(instance Instance, reason error) {
	j.s.node.stats.joinCrashes.Add(1)
	j.at().say(notice.JoinReply, slog.String("error", textOf(reason)))
	j.ch.drop(reason, instance)
	j.answer(j.m.JoinRef, wire.StatusError, joinCrashed)
}

// crashed follows a callback that panicked.
func (j *joinCall) crashed(reason *PanicError) {
	j.ch.returned(j.instance)
	if j.settle() {
		j.crash(reason)
	}
}

// giveBack gives the slot back, and reports whether it was still there.
func (j *joinCall) giveBack() bool {
	was := j.slot.CompareAndSwap(true, false)
	if was {
		j.s.node.admission.joins.Release()
	}
	return was
}

// late takes the slot from a callback that nobody waits for any more: it must not be in the way
// of other patterns, and counts for its own until it returns.
func (j *joinCall) late() {
	if j.giveBack() {
		j.s.handler.route(j.m.Topic).lateJoins.Add(1)
	}
}

// over follows the end of the callback.
func (j *joinCall) over() {
	if !j.giveBack() {
		j.s.handler.route(j.m.Topic).lateJoins.Add(-1)
	}
}

// expire is the deadline. The callback runs on, with its context ended.
func (j *joinCall) expire() {
	// Not settle: the timer may fire before anyone else can see it.
	if j.settled.CompareAndSwap(false, true) {
		j.s.node.tasks.Go(func() { j.crash(ErrJoinTimeout) })
	}
}

// crash answers a join that has no outcome, and goes on with what waits behind it.
func (j *joinCall) crash(reason error) {
	s := j.s
	s.node.stats.joinCrashes.Add(1)
	if why := errorAttrs(reason); reason == ErrJoinTimeout { // not errors.Is: a panic may hold an error whose methods panic
		j.at().say(notice.JoinTimeout, append(why, slog.Duration("limit", s.handler.limits.JoinTimeout))...)
	} else {
		j.at().say(notice.JoinCrash, why...)
	}
	j.ch.end(reason, nil)
	j.late()
	j.answer(j.m.JoinRef, wire.StatusError, joinCrashed)
	s.runJoins(s.nextJoin())
}

// abandon follows the end of the connection.
func (j *joinCall) abandon(reason error) {
	if j.settle() {
		j.ch.end(reason, nil)
		j.late()
		j.s.runJoins(j.s.nextJoin())
	}
}

// The channel's part of a join.

// isClosed reports whether nothing of the channel can reach the client any more.
func (c *Channel) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state >= closed
}

// awaitLeave gives a channel that is closed when a leave that is in the mailbox is
// answered, and the ref of that leave; nil when there is none.
func (c *Channel) awaitLeave() (<-chan struct{}, wire.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != leaving {
		return nil, ""
	}
	x := c.extra()
	if x.gone == nil {
		x.gone = make(chan struct{})
	}
	return x.gone, x.leaveRef
}

// subscribe lets broadcasts come in, to be held until the join reply is out.
// Elsewhere in the cluster they may be held back until then by an interest that is not
// known yet, so it waits for that.
func (c *Channel) subscribe(intercepts []string) {
	c.intercepts = intercepts
	sub := c.socket.node.pubsub.Subscribe(c.topic, (*fastlane)(c))
	c.mu.Lock()
	over := c.state >= closed
	if !over {
		c.sub = sub
	}
	c.mu.Unlock()
	if over {
		sub.Cancel()
		return
	}
	for ready := sub.Ready(); ready != nil; {
		select {
		case <-ready:
		case <-c.context().Done():
			return
		}
		was := ready
		if ready = sub.Ready(); ready == was {
			return
		}
	}
}

// returned says that Join is over. An instance that comes too late to be joined
// gets its Terminate, from here or from whoever is about to end the channel.
func (c *Channel) returned(instance Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joinRuns = false
	c.instance = instance
	if c.state == closed && !c.running {
		c.running = true
		c.socket.begin()
		c.socket.node.tasks.Start(c)
	}
}

// drop ends a channel that is not going to be joined though its Join has
// returned.
func (c *Channel) drop(reason error, instance Instance) {
	c.returned(instance)
	c.end(reason, nil)
}
