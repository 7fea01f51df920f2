package bennu

import (
	"context"
	"log/slog"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// receiver is the interface of a Socket to its connection. It is a type of its own so that these
// methods are not part of the public type.
type receiver Socket

// Opened implements seam.Receiver. It adds the connection to the lists and counts of the endpoint.
// It closes one that has been disconnected by its id meanwhile, or that now exceeds a limit.
func (r *receiver) Opened(conn seam.Conn) {
	s := (*Socket)(r)
	s.mu.Lock()
	s.conn = conn
	early := s.reason
	s.mu.Unlock()
	// Before any frame is queued, since frames are checked against leastOutbound.
	s.node.boundOutbound(conn)
	// Connect has called Disconnect, when there was no connection to close yet.
	if early != nil {
		conn.Close(transport.CloseGoingAway)
	}
	if s.id != "" && s.node.disconnects.add(s) {
		s.at("", "").say(notice.Disconnected)
		s.Disconnect()
	}
	// Accept has checked these limits too, but other connections may have been opened since.
	limits := &s.node.admission.limits
	switch n, open := s.node.sockets.add(s); {
	case !open:
		s.at("", "").say(notice.Draining)
		s.close(transport.CloseRestart, ErrDraining)
	case n > limits.Connections:
		s.at("", "").say(notice.Connections, slog.Int("limit", limits.Connections))
		s.close(transport.CloseTryAgainLater, transport.ErrBusy)
	}
	if limits.PerAddress >= 0 {
		if s.counted = s.node.admission.addresses.Add(s.address, limits.PerAddress); !s.counted {
			s.at("", "").say(notice.PerAddress, slog.Int("limit", limits.PerAddress))
			s.close(transport.CloseTryAgainLater, transport.ErrBusy)
		}
	}
	s.startExpiry()
}

// Receive implements seam.Receiver. It applies the message rate and then handles the frame, or
// queues it behind a join. A connection that drains drops it.
func (r *receiver) Receive(op wire.Opcode, data []byte) (resume <-chan struct{}) {
	s := (*Socket)(r)
	s.retain() // a drain that begins now waits for the answer to this message
	defer s.release()
	// Only messages that came before the drain are answered.
	if s.draining.Load() {
		return nil
	}
	slow, ok := s.slowDown()
	if !ok {
		return nil
	}
	// A full mailbox or inbox lasts longer than the pause of a rate, as a rule, so it comes first.
	if resume = s.handleInTurn(op, data); resume == nil {
		return slow
	}
	return resume
}

// AllHandled implements ability.Completer. Only frames behind a join wait; all others are handled,
// or in a mailbox, when Receive returns.
func (r *receiver) AllHandled() <-chan struct{} {
	s := (*Socket)(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn == nil {
		return nil
	}
	if s.turn.over == nil {
		s.turn.over = make(chan struct{})
	}
	return s.turn.over
}

// Closed implements seam.Receiver. It ends the join that runs and all channels, in this goroutine,
// so their functions of AfterEnd run here.
func (r *receiver) Closed(reason error) {
	s := (*Socket)(r)
	s.mu.Lock()
	s.closed = true
	own := s.reason == nil // the transport has ended the connection, not the program
	if !own {
		reason = s.reason
	}
	s.reason = reason
	// Taken out of the table first: no join can add a channel after this, since insert looks at
	// closed.
	channels := s.channels
	s.channels = nil
	var call *joinCall
	if s.turn != nil {
		s.turn.inbox.clear()
		call = s.turn.joining
	}
	s.mu.Unlock()

	if own {
		s.sayClosed(reason)
	}
	s.stopExpiry()
	s.uncount()
	if s.id != "" {
		s.node.disconnects.remove(s)
	}
	// Its channel is in no table yet, so it must be ended by itself.
	if call != nil {
		call.onClosed(reason)
	}
	for _, c := range channels {
		c.end(reason, nil)
	}
	// Last, since Shutdown waits for the list to be empty.
	s.node.sockets.remove(s)
}

// uncount removes the connection from the count of NodeLimits.PerAddress, as soon as it keeps no
// file open.
func (s *Socket) uncount() {
	if !s.counted {
		return
	}
	// Called in Closed, the only place in which AfterGone may be called.
	remove := func() { s.node.admission.addresses.Remove(s.address) }
	if l, ok := s.conn.(ability.Lingerer); ok {
		l.AfterGone(remove)
	} else {
		remove()
	}
}

// sayClosed counts and logs why the transport closed a connection, for reasons that are not logged
// where they are found. A client that went away by itself is not logged.
func (s *Socket) sayClosed(reason error) {
	place := s.at("", "")
	switch reason { // not errors.Is: a transport logs the reasons that wrap one of these
	case transport.ErrSlowConsumer:
		place.say(notice.SlowConsumer)
	case transport.ErrIdle:
		place.say(notice.Idle)
	}
}

// A receiver has these abilities; see package ability.
var (
	_ ability.Describer = (*receiver)(nil)
	_ ability.Completer = (*receiver)(nil)
	_ ability.Idler     = (*receiver)(nil)
)

// AwaitIdle implements ability.Idler. When it returns nil, all messages received on any connection
// of the endpoint have been handled, with everything that they caused on others. It does not wait
// for goroutines of Channel.Go and messages of other nodes.
func (r *receiver) AwaitIdle(ctx context.Context) error {
	return r.node.tasks.Wait(ctx)
}

// AwaitHandled implements ability.Idler. It puts a fence into the mailbox, which the executor
// closes.
func (r *receiver) AwaitHandled(ctx context.Context, topic string) {
	c := (*Socket)(r).find(topic)
	if c == nil {
		return
	}
	// ended is closed if the channel ends before the executor gets to the fence.
	done, ended := make(chan struct{}), make(chan struct{})
	c.AfterEnd(func() { close(ended) })
	c.mu.Lock()
	if c.state < closed {
		c.box.push(item{kind: itemFence, info: done})
		c.startLocked()
	}
	c.mu.Unlock()
	select {
	case <-done:
	case <-ended:
	case <-ctx.Done():
	}
}

// About implements ability.Describer.
func (r *receiver) About(attrs ...slog.Attr) []slog.Attr {
	return (*Socket)(r).at("", "").with(attrs...)
}

// receiverOf returns the receiver of a socket, wrapped if seam.Wrap asked for that.
func (h *mountedHandler) receiverOf(s *Socket) seam.Receiver {
	if h.wrap != nil {
		return h.wrap((*receiver)(s))
	}
	return (*receiver)(s)
}
