package bennu

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// The executor of a channel is a goroutine that exists only while the mailbox has
// work. It runs the callbacks one at a time; whoever puts something into the
// mailbox of a channel without one starts one.

// post puts an item from somewhere other than the client into the mailbox.
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
	if it.kind == itemLeave && c.state == joined {
		c.state = leaving
		c.extra().leaveRef = it.ref
	}
	c.box.push(it)
	c.startLocked()
	if c.box.full(&c.socket.handler.limits) {
		resume = c.box.wait()
	}
	return true, resume
}

func (c *Channel) startLocked() {
	if c.running || c.state == joining {
		return
	}
	c.running = true
	c.socket.begin()
	c.socket.node.tasks.Start(c)
}

// Run is called by the task group of the endpoint, and by nobody else.
func (c *Channel) Run() {
	returned := false
	defer func() {
		if returned {
			return
		}
		// A callback panicked, or ended this goroutine with runtime.Goexit. What
		// is left to do needs a goroutine that can run callbacks.
		reason := newPanicError(recover())
		defer c.socket.node.tasks.Start(c)
		c.fail(c.atLast(), reason)
	}()
	for c.step() {
	}
	returned = true
}

// step does one thing, and reports whether there may be more.
func (c *Channel) step() bool {
	c.mu.Lock()
	if c.state >= closed {
		c.runs = atEnd
		c.finishLocked()
		return false
	}
	if c.box.empty() {
		c.running, c.runs = false, nil
		c.mu.Unlock()
		c.socket.end()
		return false
	}
	it := c.box.pop(&c.socket.handler.limits)
	var h *handlerContext
	if it.kind <= itemInfo && it.kind != itemLeave {
		h = c.handlerContext(&it)
	}
	c.runs = h
	c.mu.Unlock()

	switch it.kind {
	case itemIn:
		reply, err := c.instance.HandleIn(h, it.event, it.payload)
		c.settle(h, reply, withoutNil(err))
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

func (c *Channel) handlerContext(it *item) *handlerContext {
	return &handlerContext{ch: c, ref: it.ref, event: eventOf(it), kind: it.kind}
}

// finishLocked runs what is left of a closed channel: Terminate, once. It
// is called with the lock held, and releases it.
func (c *Channel) finishLocked() {
	c.box.clear()
	instance, reason := c.instance, c.extra().reason
	c.instance = nil // so that Terminate is never called twice
	c.mu.Unlock()
	if instance != nil {
		instance.Terminate(reason)
	}
	c.mu.Lock()
	c.state = ended
	c.running = false
	if x := c.extra(); x.watchdog != nil {
		x.watchdog.Stop()
		x.watchdog = nil
		c.socket.node.lingering.remove(c)
		c.countLate(-1)
	}
	c.mu.Unlock()
	c.socket.end()
}

// settle acts on what HandleIn returned.
func (c *Channel) settle(h *handlerContext, reply Reply, err error) {
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

// lastReply is the reply of a handler that ends its channel: its Out, unless it
// has an Error for the client.
func lastReply(reply Reply, err error) Reply {
	if told := pointerIn[Error](err); told != nil {
		return Reply{Status: wire.StatusError, Response: errorResponse(told)}
	}
	return reply
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

// obey acts on what a callback returned that answers nobody.
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

// disconnect closes the connection. What waits for this channel is not handled
// any more: it may be from the very client that is thrown out.
func (c *Channel) disconnect(d Disconnect, reason error) {
	c.socket.close(d.code(), reason)
	c.end(reason, nil)
}

// close ends the channel in an orderly way: the reply, if there is one, then
// phx_close, and nothing after it.
func (c *Channel) close(ref wire.Ref, r Reply, reason error) {
	var frames [2]transport.Frame
	n := 0
	if r.Status != "" {
		f, err := c.lastReplyFrame(c.at(nil), ref, r)
		if err != nil {
			c.fail(c.atLast(), err)
			return
		}
		frames[n] = f
		n++
	}
	if f, err := c.endFrame(wire.EventClose, emptyObject); err == nil {
		frames[n] = f
		n++
	} else {
		c.at(nil).say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
	c.end(reason, frames[:n])
}

var crashPayload = []byte(`{"reason":"channel_crash"}`)

// fail ends the channel as a crash: phx_error, so that the client joins again. It
// may be called from any goroutine.
func (c *Channel) fail(at place, reason error) {
	why := errorAttrs(reason)
	_, panicked := reason.(*PanicError) // which may wrap an error whose own methods panic
	switch {
	case panicked:
		at.say(notice.ChannelCrash, why...)
	case errors.Is(reason, ErrMailboxFull):
		at.say(notice.MailboxFull, why...)
	case errors.Is(reason, ErrUnknownEvent):
		at.say(notice.UnknownEvent, why...)
	default:
		at.say(notice.ChannelCrash, why...)
	}
	if c.crash(reason) {
		c.socket.node.stats.crashes.Add(1)
	} else {
		c.socket.observe(c.topic, reason)
	}
}

// crash ends the channel with phx_error, and reports whether it was not over yet.
func (c *Channel) crash(reason error) bool {
	f, err := c.endFrame(wire.EventError, crashPayload)
	if err != nil {
		c.at(nil).say(notice.NotEncoded, slog.String("error", textOf(err)))
		return c.end(reason, nil)
	}
	return c.end(reason, []transport.Frame{f})
}

// errorAttrs are an error in the log, with the stack of a panic.
func errorAttrs(reason error) []slog.Attr {
	attrs := []slog.Attr{slog.String("error", textOf(reason))}
	if p := pointerIn[PanicError](reason); p != nil {
		attrs = append(attrs, slog.Any("stack", redact.Frames(string(p.Stack))))
	}
	return attrs
}

// textOf is the text of an error of the application's. A method Error that
// panics, as on a nil pointer, or does not return, must not end more than its channel.
func textOf(err error) string {
	if nils.Is(err) {
		return fmt.Sprintf("a nil %T was returned as error", err)
	}
	return redact.Print(err)
}

// endFrame is a phx_close or phx_error: both its refs are the join_ref as the
// client sent it, by which a client tells an old instance from a new one.
func (c *Channel) endFrame(event string, payload []byte) (transport.Frame, error) {
	return pushFrame(c.socket.serializer, &wire.Push{
		JoinRef: c.tableRef(), Ref: c.tableRef(), Topic: c.topic, Event: event, Payload: Payload{Data: payload},
	})
}

// end is the one way into the state closed. The last frames are queued with the lock
// held that every other frame of the channel needs. It reports whether this call was the
// one that ended the channel.
func (c *Channel) end(reason error, last []transport.Frame) bool {
	c.mu.Lock()
	if c.state >= closed {
		c.mu.Unlock()
		return false
	}
	if o, ok := c.socket.conn.(observer); ok {
		o.ChannelEnded(c.topic, c.tableRef(), reason)
	}
	if c.state != joining {
		for _, f := range last {
			c.socket.conn.Send(f)
		}
	}
	c.state = closed
	c.box.clear()
	x := c.extra()
	x.reason = reason
	x.held, x.heldBytes, x.tasks = nil, 0, nil
	if x.gone != nil {
		close(x.gone)
	}
	if x.cancel != nil {
		x.cancel(reason)
	}
	c.countLate(x.going)
	sub, others, after := c.sub, x.others, x.after
	c.sub, x.others, x.after = nil, nil, nil
	switch {
	case c.running || c.joinRuns:
		// The callback that runs now may not notice.
		c.watchLocked()
	case c.instance != nil:
		if endsQuietly(c.instance) {
			c.instance = nil
			c.state = ended
		} else {
			c.running = true
			c.socket.begin()
			c.watchLocked()
			c.socket.node.tasks.Start(c)
		}
	default:
		c.state = ended
	}
	c.mu.Unlock()

	if sub != nil {
		sub.Cancel()
	}
	for _, s := range others {
		s.Cancel()
	}
	defer c.socket.forget(c)
	c.runAfter(after)
	return true
}

// runAfter calls the functions of AfterEnd, each once whatever another does.
func (c *Channel) runAfter(list []func()) {
	for i, f := range list {
		func() {
			returned := false
			defer func() {
				if returned {
					return
				}
				v := recover()
				c.at(nil).say(notice.CallbackFailed, errorAttrs(newPanicError(v))...)
				if v == nil { // runtime.Goexit goes on by itself
					c.runAfter(list[i+1:])
				}
			}()
			f()
			returned = true
		}()
	}
}

// quietEnder is an Instance whose Terminate may do nothing: then the end of its channel needs
// no goroutine. One that wraps it has a Terminate that may do something.
type quietEnder interface{ endsQuietly() bool }

func endsQuietly(i Instance) bool {
	q, ok := i.(quietEnder)
	return ok && q.endsQuietly()
}

// watchLocked arms the watchdog for a callback that runs on after the end.
func (c *Channel) watchLocked() {
	c.socket.node.lingering.add(c, c.topic)
	c.countLate(1)
	c.extra().watchdog = time.AfterFunc(c.socket.handler.limits.HandlerGrace, func() {
		c.mu.Lock()
		over, reason := c.state == ended, c.extra().reason
		c.mu.Unlock()
		if over {
			return
		}
		c.atLast().say(notice.Stuck, slog.String("reason", textOf(reason)), slog.Any("stack", stackOf{c}))
	})
}

// stackOf takes the stack of a callback when its line is really written: that stops the whole
// program for a moment. It is that of a *Channel, a *connecting or a *renewal.
type stackOf struct{ of any }

// LogValue implements slog.LogValuer.
func (s stackOf) LogValue() slog.Value { return slog.AnyValue(redact.Frames(handlerStacks(s.of))) }

func newPanicError(v any) *PanicError {
	if p, ok := v.(*PanicError); ok && p != nil {
		return p // the function of an Around has seen it, and passed it on
	}
	stack := debug.Stack()
	return &PanicError{Value: v, Stack: stack[:min(len(stack), maxStack)]}
}

// maxStack bounds what a stack takes in a log.
const maxStack = 8 << 10

func (c *Channel) intercepted(event string) bool {
	return len(c.intercepts) > 0 && slices.Contains(c.intercepts, event)
}
