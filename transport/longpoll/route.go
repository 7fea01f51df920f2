package longpoll

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// route is the topic by which other servers reach this one. It is subscribed to as long as there
// are sessions here or requests for sessions elsewhere. One topic serves all of them, so a session
// costs the broker nothing.
// The two locks are apart because Subscribe and Cancel are called under mu and may take time, while
// callMu is taken for each message.
type route struct {
	mu    sync.Mutex // guards users and sub
	users int        // sessions here, and calls to other servers
	sub   *pubsub.Subscription

	callMu sync.Mutex           // guards calls and taken
	calls  map[id]*call         // requests to other servers that wait for answers
	taken  map[id]chan struct{} // by request; closed when another server has the whole answer
}

// attach counts one more user of the route. The first one subscribes to it.
func (s *server) attach() {
	if s.pubsub == nil {
		return
	}
	r := &s.route
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users++; r.users == 1 {
		r.sub = s.pubsub.Subscribe(s.keys.topic(s.boot), (*listener)(s))
	}
}

// detach undoes attach.
func (s *server) detach() {
	if s.pubsub == nil {
		return
	}
	r := &s.route
	r.mu.Lock()
	defer r.mu.Unlock()
	// The topic of this server is unknown to others without a token of it, so nothing can arrive
	// for it now.
	if r.users--; r.users == 0 {
		r.sub.Cancel()
		r.sub = nil
	}
}

// routeEvent is the event of messages between servers.
const routeEvent = "longpoll"

// send sends a message to a server. After an error it cannot have arrived; without one it may still
// be lost.
func (s *server) send(node string, boot id, m *message) error {
	return s.pubsub.DirectBroadcast(node, s.letter(boot, m))
}

// letter returns the broadcast that carries a message to a server.
func (s *server) letter(boot id, m *message) *pubsub.Message {
	return &pubsub.Message{Topic: s.keys.topic(boot), Event: routeEvent, Payload: m.encode(), Binary: true}
}

// sendWithin is send, but waits for room in the adapter's buffer until ctx ends.
func (s *server) sendWithin(ctx context.Context, node string, boot id, m *message) error {
	letter := s.letter(boot, m)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := s.pubsub.DirectBroadcast(node, letter)
		if !errors.Is(err, pubsub.ErrBufferFull) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// flightBytes bounds the bytes of bodies on the way to other servers, which share brokers and
// connections with everything else.
const flightBytes = 2 << 20

// flight returns a share of flights for a body that is sent to another server.
func (s *server) flight() share {
	return share{budget: &s.flights, sessionMost: noLimit, addrMost: noLimit}
}

// listener is the subscription of a server to its route.
type listener server

// Deliver implements pubsub.Subscriber. It runs in the goroutine of the adapter and does not block.
func (l *listener) Deliver(d *pubsub.Dispatch) {
	s := (*server)(l)
	m, err := decodeMessage(d.Payload)
	if err != nil || d.Event != routeEvent {
		s.book.Say(notice.RelayGarbage, notice.Foreign("event", d.Event), slog.Int("bytes", len(d.Payload)))
		s.stats.garbage.Add(1)
		return
	}
	switch m.kind {
	case kindAck, kindNack, kindBatch, kindDone:
		s.answered(&m)
	default:
		// Answers are sent from another goroutine: the adapter may deliver the next message only
		// after this call has returned, on the other side, too.
		if answer := s.asked(&m); answer != nil && s.work.enter() {
			s.tasks.Go(func() {
				defer s.work.leave()
				answer()
			})
		}
	}
}
