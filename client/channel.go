package client

import (
	"context"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/clientwire"
	"github.com/bennu-go/bennu/wire"
)

// A Channel is one topic on a socket. It is joined once; after that it joins again by
// itself, until it is left or the server closes it. Make one with [Socket.Channel].
type Channel struct {
	socket     *Socket
	topic      string
	params     wire.Payload
	paramsFunc func(context.Context) (any, error)
	paramsErr  error

	// The socket's lock guards what follows.
	state      State
	asked      bool  // Join was called
	ended      error // why it will not join again
	joinRef    string
	round      int              // of joins; tells a function of params that it is late
	evaluating bool             // the function of params is running
	first      chan joinEnd     // Join's; nil when that has its answer
	timer      *timer           // joining: for the answer; errored: to join again
	slow       bool             // the mailbox has to be emptied before the next join
	buffer     []*push          // until it is joined
	pending    map[string]*push // sent, by ref
	handlers   []*handler
	feeds      []*feed
	box        mailbox

	rejoinTries int
	joinedAt    time.Time // of the current join
	soon        int       // joins in a row that ended before they had settled
}

// Channel returns a channel that is not joined yet.
//
// params goes to the server with each join: any value that encodes as a JSON object,
// nil for an empty one, [Binary], or a func(context.Context) (any, error) that is called for each
// join, one call at a time, and returns one. The context of such a function ends after
// Options.Timeout or with the socket, whose Close waits for it; its error fails that join.
func (s *Socket) Channel(topic string, params any) *Channel {
	ch := &Channel{socket: s, topic: topic}
	if f, ok := params.(func(context.Context) (any, error)); ok {
		ch.paramsFunc = f
	} else if ch.params, ch.paramsErr = encode(params); ch.paramsErr == nil {
		ch.paramsErr = s.encodable(topic, wire.EventJoin, ch.params)
	}
	ch.box = mailbox{socket: s, handle: ch.handle}
	return ch
}

// Topic returns the topic.
func (ch *Channel) Topic() string { return ch.topic }

// Socket returns the socket that the channel is on.
func (ch *Channel) Socket() *Socket { return ch.socket }

// State returns the state at this moment.
func (ch *Channel) State() State {
	ch.socket.mu.Lock()
	defer ch.socket.mu.Unlock()
	return ch.state
}

// JoinRef returns the ref of the current join, empty when there is none.
func (ch *Channel) JoinRef() string {
	ch.socket.mu.Lock()
	defer ch.socket.mu.Unlock()
	return ch.joinRef
}

// setLocked changes the state.
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

// receiveLocked takes a message of the current join.
func (ch *Channel) receiveLocked(in *clientwire.Incoming, ref string) {
	switch in.Event {
	case wire.EventReply:
		ch.replyLocked(ref, Reply{in.Status, Payload(in.Response)})
	case wire.EventClose:
		ch.closeLocked(ErrEnded)
	case wire.EventError:
		if ch.state == StateJoining || ch.state == StateJoined {
			reason, _ := told(Payload(in.Payload))
			ch.errorLocked(&ChannelError{reason})
		}
	default:
		ch.eventLocked(in)
	}
}

// replyLocked gives a reply to the join or push that waits for it; later ones for
// the same ref find nobody.
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

// eventLocked hands an event to the callbacks and iterators, if there are any for it.
func (ch *Channel) eventLocked(in *clientwire.Incoming) {
	if ch.state == StateErrored || !ch.wantsLocked(in.Event) {
		return
	}
	if !ch.box.takesLocked(in.Payload) {
		ch.slow = true
		ch.socket.slowLocked(ch.topic, in.Event)
		ch.giveUpLocked(ErrSlow)
		return
	}
	m := newMessage(in)
	m.JoinRef = ch.joinRef
	ch.box.postLocked(item{message: m})
}

// giveUpLocked takes the channel down for a reason of our own.
func (ch *Channel) giveUpLocked(err error) {
	if ch.state != StateJoining && ch.state != StateJoined {
		return
	}
	ch.sendLeaveLocked()
	ch.errorLocked(err)
}

// errorLocked takes the channel down until its next join.
func (ch *Channel) errorLocked(err error) {
	ch.timer.stop()
	ch.timer = nil
	ch.round++
	_, lost := err.(*TransportError)
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
	ch.interruptLocked(&InterruptedError{err})
	if !lost {
		ch.answerLocked(joinEnd{err: err})
	}
	if n := len(ch.box.items); n == 0 || ch.box.items[n-1].kind != itemError || ch.box.takesLocked(wire.Payload{}) {
		ch.box.postLocked(item{kind: itemError, err: err}) // a callback that hangs hears of the first ones
	}
	ch.rejoinLocked()
}

// closeLocked ends the channel.
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

// sendLeaveLocked tells the server that the current join is over. It returns the
// ref of that message, or "" when there is nothing to tell.
func (ch *Channel) sendLeaveLocked() (ref string) {
	l := ch.socket.link
	if l == nil || ch.joinRef == "" {
		return ""
	}
	ref = ch.socket.nextRefLocked()
	l.sendLocked(wire.Message{JoinRef: wire.StringRef(ch.joinRef), Ref: wire.StringRef(ref), Topic: ch.topic, Event: wire.EventLeave})
	return ref
}

// addLocked registers the channel with its socket.
func (ch *Channel) addLocked() {
	topics := ch.socket.topics
	topics[ch.topic] = append(slices.Clip(topics[ch.topic]), ch)
}
