package bennu

import (
	"errors"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// channelState is the stage of a channel's life. It only ever grows, and only this file sets it.
//
//	joining ─► joined ─► leaving
//	   │         │          │
//	   └─────────┴──────────┴────► closed ─► ended
//
// openLocked makes a channel joined, and beginLeaveLocked leaving. closeLocked makes it closed, or
// ended if no callback runs or is left to run. finishLocked makes a closed channel ended. These
// functions end a channel, each by calling end:
//
//	close       not an error: phx_close, and the client does not join again by itself
//	fail        a crash: phx_error, and the client joins again; logged and counted
//	overflow    fail, for a message that did not fit the mailbox
//	gap         phx_error, for messages of other nodes that may have been missed; not a crash
//	disconnect  the whole connection closes
//	drop        Join has returned, but the join did not succeed
//
// Four callers use end directly, because their clients are told in another way or not at all:
// receiver.Closed; a join that replaces a channel; a join that panicked, took too long or lost its
// connection; and a fastlane that holds too many broadcasts for a channel that is joining.
// Socket.refuse calls endWithError, because it has already logged the reason.
type channelState uint8

const (
	joining channelState = iota // Join runs; broadcasts and messages are held
	joined
	leaving // joined, and a leave is in the mailbox
	closed  // nothing reaches the client any more; a callback may still run
	ended   // closed, and no callback runs or will run
)

// openLocked makes the channel joined. The caller has queued the reply to the join under the same
// lock. After it the held broadcasts are sent, then the goroutines of Go and the messages in the
// mailbox start.
func (c *Channel) openLocked(instance Instance) {
	c.joinRuns = false
	c.instance = instance
	c.state = joined
	if x := c.extras; x != nil {
		for _, f := range x.held {
			c.socket.conn.Send(f)
		}
		for _, t := range x.tasks {
			c.startTaskLocked(t)
		}
		x.held, x.heldBytes, x.tasks = nil, 0, nil
		x.finding = nil
		if x.ctx == nil && x.others == nil && x.after == nil && x.going == 0 {
			c.extras = nil
		}
	}
	if !c.box.empty() {
		c.startLocked()
	}
}

// beginLeaveLocked makes a joined channel leaving. The caller is about to put the leave into the
// mailbox; ref is its ref.
func (c *Channel) beginLeaveLocked(ref wire.Ref) {
	if c.state == joined {
		c.state = leaving
		c.extra().leaveRef = ref
	}
}

// awaitLeave returns a channel that is closed when the leave in the mailbox is answered, and the
// ref of that leave. It returns nil when there is no leave.
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

// isClosed reports whether the channel has ended, so that no frame of it can reach the client.
func (c *Channel) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state >= closed
}

// close ends the channel without an error: it queues the reply, unless r has no Status, and then
// phx_close.
func (c *Channel) close(ref wire.Ref, r Reply, reason error) {
	var frames [2]transport.Frame
	n := 0
	if r.Status != "" {
		f, err := c.handlerReplyFrame(c.at(nil), ref, r)
		if err != nil {
			c.fail(c.atLast(), err)
			return
		}
		frames[n] = f
		n++
	}
	if f, err := c.endFrame(protocol.EventClose, emptyObject); err == nil {
		frames[n] = f
		n++
	} else {
		c.at(nil).say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
	c.end(reason, frames[:n])
}

// fail ends the channel as a crash: it logs the reason and queues phx_error, so that the client
// joins again. It may be called from any goroutine, and again after the end: then it only logs.
func (c *Channel) fail(at place, reason error) {
	why := errorAttrs(reason)
	_, panicked := reason.(*PanicError) // asked first: errors.Is could call methods that panic
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
	if c.endWithError(reason) {
		c.socket.node.stats.crashes.Add(1)
	} else {
		c.socket.observe(c.topic, reason)
	}
}

// overflow ends a channel whose mailbox had no room for a message. The client joins again, and so
// knows that it has missed something.
func (c *Channel) overflow(event string) {
	if !c.isClosed() {
		c.fail(c.at(nil).of(event), ErrMailboxFull)
	}
}

// gap ends a channel that may have missed messages of other nodes. The client joins again, and so
// knows. With EndpointOptions.IgnoreGaps gap only counts and logs.
func (c *Channel) gap() {
	if c.socket.node.ignoreGaps {
		c.at(nil).say(notice.GapIgnored)
	} else if c.endWithError(ErrGap) {
		c.at(nil).say(notice.Gap)
	}
}

// disconnect closes the connection. It also ends the channel at once, without handling the rest of
// its mailbox: those messages may come from the client that is being thrown out.
func (c *Channel) disconnect(d Disconnect, reason error) {
	c.socket.close(d.code(), reason)
	c.end(reason, nil)
}

// drop ends a channel whose Join has returned without success. The instance, if there is one, gets
// its Terminate.
func (c *Channel) drop(reason error, instance Instance) {
	c.joinReturned(instance)
	c.end(reason, nil)
}

// crashPayload is the payload of phx_error.
var crashPayload = []byte(`{"reason":"channel_crash"}`)

// endWithError ends the channel with phx_error. It reports whether this call ended it. If the frame
// cannot be made, the channel ends without it.
func (c *Channel) endWithError(reason error) bool {
	f, err := c.endFrame(protocol.EventError, crashPayload)
	if err != nil {
		c.at(nil).say(notice.NotEncoded, slog.String("error", textOf(err)))
		return c.end(reason, nil)
	}
	return c.end(reason, []transport.Frame{f})
}

// end closes the channel. It reports whether this call did so: several goroutines may try.
//
// The last frames are queued under the lock that every frame of the channel needs, so no frame
// follows them. They are not sent to the client of a channel that is still joining, which waits for
// the reply to its join.
func (c *Channel) end(reason error, last []transport.Frame) bool {
	c.mu.Lock()
	if c.state >= closed {
		c.mu.Unlock()
		return false
	}
	if o, ok := c.socket.conn.(ability.Observer); ok {
		o.ChannelEnded(c.topic, c.tableRef(), reason)
	}
	if c.state != joining {
		for _, f := range last {
			c.socket.conn.Send(f)
		}
	}
	sub, others, after := c.closeLocked(reason)
	c.mu.Unlock()

	// Without the lock: Cancel takes locks of the PubSub, and functions of AfterEnd are the program's.
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

// closeLocked sets the state to closed, or to ended when no callback runs and none is left to run.
// It returns the parts that the caller must end after it has released the lock: the subscriptions,
// and the functions of AfterEnd.
func (c *Channel) closeLocked(reason error) (sub subscription, others []subscription, after []func()) {
	x := c.extra()
	if c.kept != nil {
		c.forgetHistoryLocked()
	}
	c.state = closed
	c.box.clear()
	x.reason = reason
	x.held, x.heldBytes, x.tasks = nil, 0, nil
	if x.gone != nil {
		close(x.gone)
	}
	if x.cancel != nil {
		x.cancel(reason)
	}
	c.countLate(x.going)
	sub, others, after = c.ownLocked(), x.others, x.after
	c.sub, x.others, x.after = nil, nil, nil
	switch {
	case c.running || c.joinRuns:
		// A callback runs. Its goroutine calls Terminate when it has returned.
		c.watchLocked()
	case c.instance == nil:
		c.state = ended
	case endsQuietly(c.instance):
		c.instance = nil
		c.state = ended
	default:
		c.watchLocked()
		c.startLocked()
	}
	return sub, others, after
}

// ownLocked returns the subscription to the channel's own topic, or nil.
func (c *Channel) ownLocked() subscription {
	switch {
	case c.sub != nil:
		return c.sub
	case c.kept != nil && c.kept.sub != nil:
		return c.kept.sub
	}
	return nil
}

// joinReturned notes that Join has returned, with its instance or nil. If the channel has ended
// meanwhile, an executor calls the instance's Terminate. Otherwise the caller is about to open or
// end the channel.
func (c *Channel) joinReturned(instance Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joinRuns = false
	c.instance = instance
	if c.state == closed {
		c.startLocked()
	}
}

// finishLocked is the executor's last act for a closed channel: it calls Terminate once and sets
// the state ended. It is called with the lock held and returns with it released.
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
	c.socket.release()
}

// watchLocked counts a callback that runs on after the end of its channel. If it still runs after
// Limits.HandlerGrace, its stack is logged.
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

// runAfter calls the functions of AfterEnd, in order. Each is called once, even if another panics.
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
