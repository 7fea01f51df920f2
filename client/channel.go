package client

import (
	"context"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/clientwire"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// A Channel is a client's side of one topic. [Socket.Channel] makes one. After the call of Join it
// joins again whenever it goes down, until it is left, the server closes it, or the socket ends.
//
// Its state changes like this:
//
//	closed   → joining   Join
//	joining  → joined    the reply to the join has the status "ok"
//	joining  → errored   the join is refused or not answered, or the connection breaks
//	joined   → errored   phx_error, a callback that is slow or panics, or the connection breaks
//	errored  → joining   the timer of the next join fires, or the socket connects
//	any      → closed    Leave, phx_close, or the end of the socket; this is final
type Channel struct {
	socket     *Socket
	topic      string
	params     Payload
	paramsFunc func(context.Context) (any, error)
	paramsErr  error

	// The socket's lock guards what follows.
	state      State
	asked      bool             // Join was called
	ended      error            // why it does not join again; nil while it may
	joinRef    string           // of the current join; empty if none was sent
	round      int              // grows with each join and each end, so that late functions notice
	evaluating bool             // the function of params is running
	first      chan joinEnd     // for Join; nil once that has its answer
	timer      *timer           // while joining, for the answer; while errored, for the next join
	slow       bool             // it went down with ErrSlow: the next join waits for an empty mailbox
	buffer     []*push          // pushes that wait for the join
	pending    map[string]*push // pushes that wait for a reply, by ref
	handlers   []*handler
	feeds      []*feed
	box        mailbox

	rejoinTries int       // delays before a join since one that lasted
	joinedAt    time.Time // of the current join
	soon        int       // joins in a row that ended before they had settled

	resume *resume // nil if the channel does not resume
}

// Channel returns a new channel, which is not joined yet. It may be called before the socket is
// connected.
//
// params is the payload of each join, as the package documentation describes payloads, or a
// func(context.Context) (any, error) that returns one. The function is called for each join, one
// call at a time. Its context ends after Options.Timeout and with the socket, whose Close waits for
// it. If it returns an error, that join fails and a later one calls it again. An error in params
// is returned by [Channel.Join].
//
//	room := socket.Channel("room:lobby", func(ctx context.Context) (any, error) {
//		return map[string]any{"since": lastSeen.Load()}, nil
//	})
func (s *Socket) Channel(topic string, params any) *Channel {
	ch := &Channel{socket: s, topic: topic, state: StateClosed}
	if f, ok := params.(func(context.Context) (any, error)); ok {
		ch.paramsFunc = f
	} else if ch.params, ch.paramsErr = encode(params); ch.paramsErr == nil {
		ch.paramsErr = s.encodable(topic, protocol.EventJoin, ch.params)
	}
	ch.box = mailbox{socket: s, handle: ch.handle}
	return ch
}

// Topic returns the topic.
func (ch *Channel) Topic() string { return ch.topic }

// Socket returns the socket that the channel is on.
func (ch *Channel) Socket() *Socket { return ch.socket }

// State returns the current state. It may change at once; see Trace.State to follow it.
func (ch *Channel) State() State {
	ch.socket.mu.Lock()
	defer ch.socket.mu.Unlock()
	return ch.state
}

// setLocked sets the state, and posts the change to Trace.State.
func (ch *Channel) setLocked(state State, err error) {
	if ch.state == state {
		return
	}
	ch.state = state
	s := ch.socket
	if s.opts.Trace.State != nil && s.states.count.messages < maxStates {
		s.states.postLocked(item{kind: itemState, channel: ch, state: state, err: err})
	}
}

// receiveLocked handles a message of the current join.
func (ch *Channel) receiveLocked(in *clientwire.Incoming, ref string) {
	switch in.Event {
	case protocol.EventReply:
		ch.replyLocked(ref, Reply{in.Status, in.Response})
	case protocol.EventClose:
		ch.closeLocked(ErrEnded)
	case protocol.EventError:
		if ch.state == StateJoining || ch.state == StateJoined {
			if reason, _ := told(in.Payload); !ch.fencedLocked(reason) {
				ch.errorLocked(crashed(reason))
			}
		}
	default:
		if ch.resume != nil {
			ch.resumingLocked(in)
		} else {
			ch.queueLocked(in, position{})
		}
	}
}

// replyLocked gives a reply to the join or push that waits for it. Any other is ignored, such as a
// second reply to one ref, or the reply to a Send.
func (ch *Channel) replyLocked(ref string, r Reply) {
	if ch.state == StateJoining && ref != "" && ref == ch.joinRef {
		if err := r.err(); err != nil {
			ch.errorLocked(err)
		} else {
			ch.joinedLocked(r)
		}
		return
	}
	if p := ch.pending[ref]; p != nil {
		delete(ch.pending, ref)
		p.finish(r, r.err())
	}
}

// queueLocked queues an event, if a callback or an iterator wants it. It reports false if the event is
// dropped: the queue is full, or the channel is down when an event with a null join_ref comes.
func (ch *Channel) queueLocked(in *clientwire.Incoming, at position) bool {
	switch {
	case ch.state == StateErrored:
		return false
	case !ch.wantsLocked(in.Event):
		return true
	case !ch.roomLocked(in.Payload, in.Event):
		return false
	}
	m := newMessage(in)
	m.JoinRef = ch.joinRef
	if !at.isZero() {
		m.Ref = at.text
	}
	ch.box.postLocked(item{message: m})
	return true
}

// roomLocked reports whether there is room in the queue. If there is none, the channel goes down with
// ErrSlow.
func (ch *Channel) roomLocked(p Payload, event string) bool {
	if ch.box.takesLocked(p) {
		return true
	}
	ch.slow = true
	ch.socket.slowLocked(ch.topic, event)
	ch.giveUpLocked(ErrSlow)
	return false
}

// giveUpLocked takes the channel down for a reason of the client's. The server learns it by a phx_leave.
func (ch *Channel) giveUpLocked(err error) {
	if ch.state != StateJoining && ch.state != StateJoined {
		return
	}
	ch.sendLeaveLocked()
	ch.errorLocked(err)
}

// errorLocked takes the channel down until its next join. After a join that lasted, the delays start
// from their first value. A join that ended too soon makes them grow, unless the connection broke: the
// socket has delays of its own for that.
func (ch *Channel) errorLocked(err error) {
	ch.timer.stop()
	ch.timer = nil
	ch.round++
	lost := isLost(err)
	switch {
	case ch.state != StateJoined:
	case time.Since(ch.joinedAt) >= settled:
		ch.rejoinTries, ch.soon = 0, 0
	case !lost:
		ch.rejoinTries = ch.soon
		ch.soon++
	}
	ch.setLocked(StateErrored, err)
	ch.joinRef = ""
	ch.interruptLocked(&caused{ErrInterrupted, err})
	if !lost {
		ch.answerLocked(joinEnd{err: err})
	}
	if n := len(ch.box.items); n == 0 || ch.box.items[n-1].kind != itemError || ch.box.takesLocked(Payload{}) {
		// While a callback hangs, errors behind an error are dropped at the bound of the queue.
		ch.box.postLocked(item{kind: itemError, err: err})
	}
	ch.rejoinLocked()
}

// closeLocked ends the channel. Pushes that wait end with err, and OnClose is called with it after the
// queued messages.
func (ch *Channel) closeLocked(err error) {
	if ch.ended != nil {
		return
	}
	ch.ended = err
	ch.timer.stop()
	ch.timer = nil
	ch.round++
	ch.setLocked(StateClosed, err)
	ch.joinRef = ""
	ch.interruptLocked(err)
	for _, p := range ch.buffer {
		ch.socket.buffered.remove(p.payload)
		p.finish(Reply{}, err)
	}
	ch.buffer = nil
	ch.answerLocked(joinEnd{err: err})
	if topics, list := ch.socket.topics, without(ch.socket.topics[ch.topic], ch); len(list) > 0 {
		topics[ch.topic] = list
	} else {
		delete(topics, ch.topic)
	}
	ch.box.postLocked(item{kind: itemClose, err: err})
}

// interruptLocked ends the pushes that wait for replies.
func (ch *Channel) interruptLocked(err error) {
	for _, p := range ch.pending {
		p.finish(Reply{}, err)
	}
	ch.pending = nil
}

// sendLeaveLocked leaves the current join. It returns the ref of the message, or "" if there is no
// join or no connection.
func (ch *Channel) sendLeaveLocked() (ref string) {
	l := ch.socket.link
	if l == nil || ch.joinRef == "" {
		return ""
	}
	ref = ch.socket.nextRefLocked()
	l.sendLocked(wire.Message{JoinRef: wire.StringRef(ch.joinRef), Ref: wire.StringRef(ref), Topic: ch.topic, Event: protocol.EventLeave})
	return ref
}

// addLocked registers the channel with its socket.
func (ch *Channel) addLocked() {
	topics := ch.socket.topics
	topics[ch.topic] = append(slices.Clip(topics[ch.topic]), ch)
}
