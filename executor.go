package bennu

import (
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
)

// executor is the goroutine of a Channel. It runs the callbacks, one at a time, and exists only
// while the mailbox is not empty or Terminate has to be called. A call that puts an item into the
// mailbox, opens the channel or ends it starts one if none runs. It is a type of its own so that a
// state that embeds a *Channel does not get a method Run. Join runs in the goroutine of a joinCall.
type executor Channel

// post puts an item that does not come from the client into the mailbox. It reports false when the
// channel has ended, or when its share of the mailbox is full.
func (c *Channel) post(it item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= closed || c.box.othersFull(c.socket.handler) {
		return false
	}
	c.box.push(it)
	c.startLocked()
	return true
}

// receive puts a message of the client into the mailbox. alive is false when the channel has ended.
// When the client's share of the mailbox is full, the message is still taken, and the connection
// must not read on before resume is closed.
func (c *Channel) receive(it item) (alive bool, resume <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= closed {
		return false, nil
	}
	if it.kind == itemLeave {
		c.beginLeaveLocked(it.ref)
	}
	c.box.push(it)
	c.startLocked()
	if c.box.full(&c.socket.handler.limits) {
		resume = c.box.wait()
	}
	return true, resume
}

// startLocked starts an executor unless one runs. A channel that is joining has none: its items
// wait until openLocked. The connection counts the executor as active, so that a drain waits for
// it.
func (c *Channel) startLocked() {
	if c.running || c.state == joining {
		return
	}
	c.running = true
	c.socket.retain()
	c.socket.node.tasks.Start((*executor)(c))
}

// Run handles items until the mailbox is empty or the channel has ended. It implements task.Runner.
func (e *executor) Run() {
	c, returned := (*Channel)(e), false
	defer func() {
		if returned {
			return
		}
		// A callback panicked, or ended this goroutine with runtime.Goexit. The channel ends as a
		// crash. Terminate still has to run, in another goroutine since this one is ending; running
		// stays true, so nobody else starts one.
		reason := newPanicError(recover())
		// Deferred, so that it starts even if logging the reason panics.
		defer c.socket.node.tasks.Start(e)
		c.fail(c.atLast(), reason)
	}()
	for e.step() {
	}
	returned = true
}

// step handles one item, or the end of the channel, and reports whether to call it again. It keeps
// the context of the callback in c.runs, because the log lines about a panic or a callback that
// does not return are written elsewhere.
func (e *executor) step() bool {
	c := (*Channel)(e)
	c.mu.Lock()
	if c.state >= closed {
		c.runs = atEnd
		c.finishLocked()
		return false
	}
	// Under the lock, so that a call that puts in an item after this starts another executor.
	if c.box.empty() {
		c.running, c.runs = false, nil
		c.mu.Unlock()
		c.socket.release()
		return false
	}
	it := c.box.pop(&c.socket.handler.limits)
	var h *handlerContext
	// Made under the lock together with c.runs, so that the log never shows another callback's
	// event.
	if it.kind.hasCallback() {
		h = c.handlerContext(&it)
	}
	c.runs = h
	c.mu.Unlock()

	switch it.kind {
	case itemIn:
		reply, err := c.instance.HandleIn(h, it.event, it.payload)
		c.conclude(h, reply, withoutNil(err))
	case itemOut:
		err := c.instance.HandleOut(h, it.event, it.payload)
		c.obey(c.at(h), err)
	case itemInfo:
		err := c.instance.HandleInfo(h, it.info)
		c.obey(c.at(h), err)
	case itemLeave:
		reply := Reply{Status: protocol.StatusOK}
		c.close(it.ref, reply, ErrLeft)
	case itemStop:
		c.close("", Reply{}, Stop)
	case itemEntry:
		c.nextEntry()
	// All items before the fence are handled.
	case itemFence:
		close(it.info.(chan struct{}))
	}
	return true
}

// atEnd stands for Terminate in c.runs, for the log.
var atEnd = &handlerContext{kind: itemEnd}

// conclude acts on the result of HandleIn: it replies, ends the channel, or closes the connection.
// Stop and Crash are looked for first: if an *Error is joined with them, it is the last reply.
func (c *Channel) conclude(h *handlerContext, reply Reply, err error) {
	if err == nil {
		c.answer(h, reply)
		return
	}
	switch verdict, d := verdictOf(err); verdict {
	case verdictStop:
		c.close(h.ref, lastReply(reply, err), err)
	case verdictCrash:
		// The reply first: after the end no frame of the channel is sent.
		c.answer(h, lastReply(reply, err))
		c.fail(c.at(h), err)
	case verdictUnknown:
		c.fail(c.at(h), err)
	case verdictDisconnect:
		c.disconnect(d, err) // without a reply, which nobody would read
	default:
		c.answer(h, c.socket.errorReply(c.at(h), err, c.isClosed()))
	}
}

// answer sends the reply of a handler. A reply that does not encode ends the channel as a crash. A
// reply that comes after the end of the channel is counted and logged.
func (c *Channel) answer(h *handlerContext, r Reply) {
	if r.Status == "" {
		return
	}
	f, err := c.handlerReplyFrame(c.at(h), h.ref, r)
	if err != nil {
		c.fail(c.at(h), err)
		return
	}
	if c.emit(f) != nil {
		c.at(h).say(notice.LateReply)
	}
}

// obey acts on the error of a callback that has no reply: HandleOut, HandleInfo, a task of Go. at
// says which for the log. A nil error does nothing.
func (c *Channel) obey(at place, err error) {
	if err = withoutNil(err); err == nil {
		return
	}
	switch verdict, d := verdictOf(err); verdict {
	case verdictStop:
		c.close("", Reply{}, err)
	case verdictCrash, verdictUnknown:
		c.fail(at, err)
	case verdictDisconnect:
		c.disconnect(d, err)
	default:
		c.socket.observe(c.topic, err)
		if c.isClosed() { // such errors are expected: its pushes fail and its context is cancelled
			at.say(notice.LateCallback, slog.String("error", textOf(err)))
		} else {
			at.say(notice.CallbackFailed, slog.String("error", textOf(err)))
		}
	}
}
