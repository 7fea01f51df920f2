package client

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/internal/notice"
)

// handler is a callback of a channel. One of its functions is set.
type handler struct {
	event   string
	message func(Message) // of On
	err     func(error)   // of OnError
	close   func(error)   // of OnClose
}

// On registers f for events with this name; off removes f. Register before Join to miss no event.
// Callbacks for one event are called in the order in which they were registered. On panics if f is
// nil or event is one of the protocol's own, such as phx_close; use [Channel.OnClose] and
// [Channel.OnError] for those.
func (ch *Channel) On(event string, f func(Message)) (off func()) {
	checkWanted(event)
	if f == nil {
		panic(fmt.Sprintf("client: the callback of event %q is nil", event))
	}
	return ch.add(&handler{event: event, message: f})
}

// checkWanted panics for an event that no callback can get.
func checkWanted(name string) {
	if fault := event.Fault(name); fault != "" {
		panic("client: " + fault + "; use OnError and OnClose for the ends of a channel, Events for all events")
	}
}

// On is [Channel.On] with the payload decoded into In. If a payload does not decode, the event is
// logged as an error, without its payload, and f is not called.
//
//	off := client.On(room, "shout", func(s Shout) { fmt.Println(s.Body) })
func On[In any](ch *Channel, event string, f func(In)) (off func()) {
	return ch.On(event, func(m Message) {
		var in In
		if err := m.Payload.Decode(&in); err != nil {
			notice.Of(ch.socket.opts.Logger).Say(notice.ClientEvent, notice.Foreign("topic", ch.topic), notice.Foreign("event", event))
			return
		}
		f(in)
	})
}

// OnError registers f, which is called each time the channel goes down and is going to join again;
// off removes f. The error is a [*ReplyError] or [ErrTimeout] of a join, the error of params,
// [ErrCrashed], [ErrDisconnected], [ErrSlow] or [ErrPanic]. Events that the server sends before the
// next join are lost, unless the channel resumes.
func (ch *Channel) OnError(f func(error)) (off func()) { return ch.add(&handler{err: f}) }

// OnClose registers f, which is called when the channel has ended; off removes f. It is the last
// callback. The error is [ErrLeft], [ErrEnded], [ErrClosed], or the [*CloseError] that ended the
// socket.
func (ch *Channel) OnClose(f func(error)) (off func()) { return ch.add(&handler{close: f}) }

// add registers a callback. It replaces the list instead of changing it, since handle ranges over the
// list without the lock.
func (ch *Channel) add(h *handler) (off func()) {
	ch.socket.mu.Lock()
	defer ch.socket.mu.Unlock()
	ch.handlers = append(slices.Clip(ch.handlers), h)
	return func() {
		ch.socket.mu.Lock()
		defer ch.socket.mu.Unlock()
		ch.handlers = without(ch.handlers, h)
	}
}

// wantsLocked reports whether a callback or an iterator wants an event.
func (ch *Channel) wantsLocked(event string) bool {
	for _, h := range ch.handlers {
		if h.message != nil && h.event == event {
			return true
		}
	}
	return slices.ContainsFunc(ch.feeds, func(f *feed) bool { return f.wants(event) })
}

// handle calls the callbacks for one item of the mailbox. Iterators come first: they only queue the
// message and do not have to wait for a callback.
func (ch *Channel) handle(it item) {
	ch.socket.mu.Lock()
	handlers, feeds := ch.handlers, ch.feeds
	ch.socket.mu.Unlock()
	switch it.kind {
	case itemMessage:
		for _, f := range feeds {
			f.offer(it.message)
		}
		for _, h := range handlers {
			if h.message != nil && h.event == it.message.Event {
				ch.call(func() { h.message(it.message) })
			}
		}
	case itemError:
		for _, h := range handlers {
			if h.err != nil {
				ch.call(func() { h.err(it.err) })
			}
		}
	case itemResumed:
		ch.call(func() { ch.resume.told(*it.resumed) })
	case itemClose:
		for _, f := range feeds {
			f.end(it.err)
		}
		for _, h := range handlers {
			if h.close != nil {
				ch.call(func() { h.close(it.err) })
			}
		}
	}
}

// call calls a callback. If it panics or calls runtime.Goexit, the channel goes down and joins again.
func (ch *Channel) call(f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		p := ch.socket.panicked("a callback of "+ch.topic, recover())
		ch.socket.mu.Lock()
		defer ch.socket.mu.Unlock()
		ch.giveUpLocked(p)
	}()
	f()
	returned = true
}

// feed is the queue of one iterator.
type feed struct {
	channel *Channel
	events  []string // wanted; empty for all

	// The socket's lock guards the fields below.
	items []Message
	count count
	wake  chan struct{} // of capacity 1: has a value when there is an item, or an end
	err   error         // why no more messages come; nil while they may
	over  bool          // the iterator has returned
}

// Events returns an iterator over the events with these names, or over all events if there are no
// names. It queues events from the call on, so call it before Join to miss none. One goroutine may
// range over it, once. It panics for the names for which [Channel.On] does.
//
// The iterator goes on when the channel goes down and joins again. Its last step has an error: the
// one that [Channel.OnClose] gets; the cause of ctx; or [ErrSlow], if more events were waiting than
// Options.MaxQueued and Options.MaxQueuedBytes allow. The queued events come before the error,
// except when ctx ends. Leaving the loop, or the end of ctx, ends the queuing: an iterator whose ctx
// never ends must be ranged over.
//
//	for m, err := range room.Events(ctx, "shout", "whisper") {
//		if err != nil {
//			return err
//		}
//		...
//	}
func (ch *Channel) Events(ctx context.Context, events ...string) iter.Seq2[Message, error] {
	for _, name := range events {
		checkWanted(name)
	}
	f := &feed{channel: ch, events: slices.Clone(events), wake: make(chan struct{}, 1)}
	s := ch.socket
	s.mu.Lock()
	if ch.ended != nil {
		f.err = ch.ended
	} else {
		ch.feeds = append(slices.Clip(ch.feeds), f)
	}
	s.mu.Unlock()
	// Queuing also ends with ctx if nobody ranges over the iterator.
	stop := context.AfterFunc(ctx, func() { f.end(context.Cause(ctx)) })
	return func(yield func(Message, error) bool) {
		defer stop()
		defer f.finish()
		for {
			if f.isOver() {
				return
			}
			if ctx.Err() != nil {
				yield(Message{}, context.Cause(ctx))
				return
			}
			m, err, ok := f.take()
			switch {
			case !ok:
				select {
				case <-f.wake:
				case <-ctx.Done():
				case <-f.neverJoined():
					f.endNeverJoined()
				}
			case err != nil:
				yield(Message{}, err)
				return
			default:
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

func (f *feed) wants(event string) bool {
	return len(f.events) == 0 || slices.Contains(f.events, event)
}

// offer queues a message, if it is wanted. If the queue is full, the feed ends with ErrSlow.
func (f *feed) offer(m Message) {
	if !f.wants(m.Event) {
		return
	}
	s := f.channel.socket
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.err != nil {
		return
	}
	p := m.Payload
	if !s.opts.queues(f.count, p) {
		s.slowLocked(m.Topic, m.Event)
		f.endLocked(ErrSlow)
		return
	}
	f.items = append(f.items, m)
	f.count.add(p)
	f.wakeUp()
}

// take returns the next message, or the error that comes after the last one. ok is false if there is
// neither yet.
func (f *feed) take() (m Message, err error, ok bool) {
	f.channel.socket.mu.Lock()
	defer f.channel.socket.mu.Unlock()
	if len(f.items) == 0 {
		return m, f.err, f.err != nil
	}
	m = f.items[0]
	f.items[0] = Message{}
	f.items = f.items[1:]
	f.count.remove(m.Payload)
	return m, nil, true
}

// end stops the queuing. Only the first call has an effect.
func (f *feed) end(err error) {
	f.channel.socket.mu.Lock()
	defer f.channel.socket.mu.Unlock()
	f.endLocked(err)
}

func (f *feed) endLocked(err error) {
	if f.err != nil {
		return
	}
	f.err = err
	f.channel.feeds = without(f.channel.feeds, f)
	f.wakeUp()
}

// neverJoined is closed when the socket has ended. It is nil once Join was called: the channel then
// ends its feeds itself, after its last message. Without a join no end of the channel would come.
func (f *feed) neverJoined() <-chan struct{} {
	f.channel.socket.mu.Lock()
	defer f.channel.socket.mu.Unlock()
	if f.channel.asked {
		return nil
	}
	return f.channel.socket.done
}

func (f *feed) endNeverJoined() {
	f.channel.socket.mu.Lock()
	defer f.channel.socket.mu.Unlock()
	if !f.channel.asked { // it may have been joined meanwhile
		f.endLocked(f.channel.socket.err)
	}
}

// finish releases the queued messages when the iterator returns.
func (f *feed) finish() {
	f.channel.socket.mu.Lock()
	defer f.channel.socket.mu.Unlock()
	f.endLocked(ErrLeft)
	f.items, f.count, f.over = nil, count{}, true
}

func (f *feed) isOver() bool {
	f.channel.socket.mu.Lock()
	defer f.channel.socket.mu.Unlock()
	return f.over
}

func (f *feed) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
