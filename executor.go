package bennu

import (
	"errors"
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/wire"
)

// executor is a Channel as its own goroutine, which runs the callbacks one at a time. It exists
// only while the mailbox has work: whoever puts something into the mailbox of a channel without
// one starts one. It is a type of its own so that Run is no method of a state that embeds the
// Channel.
type executor Channel

// post puts an item from somewhere other than the client into the mailbox. It reports false when
// the channel has ended, or too much waits for it.
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

// receive puts a message of the client into the mailbox. It reports false when
// the channel has ended. A non-nil resume asks the connection to wait.
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

// startLocked starts an executor unless there is one. A channel that is joining has none.
func (c *Channel) startLocked() {
	if c.running || c.state == joining {
		return
	}
	c.running = true
	c.socket.retain()
	c.socket.node.tasks.Start((*executor)(c))
}

// Run implements task.Runner.
func (e *executor) Run() {
	c, returned := (*Channel)(e), false
	defer func() {
		if returned {
			return
		}
		// A callback panicked, or ended this goroutine with runtime.Goexit. What
		// is left to do needs a goroutine that can run callbacks.
		reason := newPanicError(recover())
		defer c.socket.node.tasks.Start(e)
		c.fail(c.atLast(), reason)
	}()
	for e.step() {
	}
	returned = true
}

// step does one thing, and reports whether there may be more. It notes in runs which callback
// that is, since a line in the log about a panic or a callback that hangs is written elsewhere.
func (e *executor) step() bool {
	c := (*Channel)(e)
	c.mu.Lock()
	if c.state >= closed {
		c.runs = atEnd
		c.finishLocked()
		return false
	}
	if c.box.empty() {
		c.running, c.runs = false, nil
		c.mu.Unlock()
		c.socket.release()
		return false
	}
	it := c.box.pop(&c.socket.handler.limits)
	var h *handlerContext
	if it.kind <= itemInfo && it.kind != itemLeave {
		h = c.handlerContext(&it) // the other items call nothing of the program's
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
		reply := Reply{Status: wire.StatusOK}
		c.close(it.ref, reply, ErrLeft)
	case itemStop:
		c.close("", Reply{}, Stop)
	case itemFence:
		close(it.info.(chan struct{}))
	}
	return true
}

// atEnd stands for Terminate in the log.
var atEnd = &handlerContext{kind: itemEnd}

// conclude acts on what HandleIn returned.
func (c *Channel) conclude(h *handlerContext, reply Reply, err error) {
	switch {
	case err == nil:
		c.answer(h, reply)
	case errors.Is(err, Stop):
		c.close(h.ref, lastReply(reply, err), err)
	case errors.Is(err, Crash):
		c.answer(h, lastReply(reply, err))
		c.fail(c.at(h), err)
	case errors.Is(err, ErrUnknownEvent):
		c.fail(c.at(h), err)
	default:
		if d, ok := asDisconnect(err); ok {
			c.disconnect(d, err)
			return
		}
		c.answer(h, c.socket.errorReply(c.at(h), err, c.isClosed()))
	}
}

// answer sends a reply. One that does not encode is a fault of the channel.
func (c *Channel) answer(h *handlerContext, r Reply) {
	if r.Status == "" {
		return
	}
	f, err := c.lastReplyFrame(c.at(h), h.ref, r)
	if err != nil {
		c.fail(c.at(h), err)
		return
	}
	if c.emit(f) != nil {
		c.at(h).say(notice.LateReply)
	}
}

// obey acts on the error of a callback that answers nobody.
func (c *Channel) obey(at place, err error) {
	if err = withoutNil(err); err == nil {
		return
	}
	d, disconnects := asDisconnect(err)
	switch {
	case errors.Is(err, Stop):
		c.close("", Reply{}, err)
	case errors.Is(err, Crash), errors.Is(err, ErrUnknownEvent):
		c.fail(at, err)
	case disconnects:
		c.disconnect(d, err)
	default:
		c.socket.observe(c.topic, err)
		if c.isClosed() { // its pushes and its context fail as a matter of course
			at.say(notice.LateCallback, slog.String("error", textOf(err)))
		} else {
			at.say(notice.CallbackFailed, slog.String("error", textOf(err)))
		}
	}
}
