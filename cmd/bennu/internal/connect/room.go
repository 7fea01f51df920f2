package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/client/presence"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/wire"
)

// A room is a topic that was joined, with the payload of its join, so that it can be joined again on
// another connection.
type room struct {
	topic   string
	payload wire.Payload
	channel *client.Channel // nil after the command disconnect
	since   string          // with --resume, the position that an earlier channel has reached
	here    *presence.Presence[json.RawMessage]
}

// presenceEvents has the events of presence.
var presenceEvents = []string{"presence_state", "presence_diff"}

func isPresence(event string) bool { return slices.Contains(presenceEvents, event) }

var (
	errDisconnected = errors.New("there is no connection: reconnect makes one")
	errNoTopic      = errors.New("no topic is joined: join room:lobby")
)

// enter makes a room for a topic, and makes the topic the current one.
func (s *session) enter(topic string, payload wire.Payload) (*room, error) {
	if !s.alive() {
		return nil, errDisconnected
	}
	if r := s.rooms[topic]; r != nil {
		if r.channel.State() != client.StateClosed {
			return nil, fmt.Errorf("%s is joined already", topic)
		}
		s.forget(topic) // the server closed it
	}
	r := &room{topic: topic, payload: payload}
	s.rooms[topic] = r
	s.mu.Lock()
	s.order = append(s.order, topic)
	s.mu.Unlock()
	s.current = topic
	s.connect(r)
	return r, nil
}

// connect makes the channel of a room on the current connection.
func (s *session) connect(r *room) {
	typed, since := r.payload, r.since // end changes r while the function may run
	r.channel = s.socket.Channel(r.topic, func(context.Context) (any, error) { return s.target.joinPayload(typed, since) })
	if s.target.resume {
		r.channel.Resume(nil) // the frames show what the server tells
	}
	r.here = presence.New[json.RawMessage](r.channel, &presence.Options{Logger: noLog})
	// Registered after the callbacks of the list, so that the list has applied the event before.
	for _, event := range presenceEvents {
		r.channel.On(event, func(client.Message) {
			s.mu.Lock()
			s.unread[r.topic] = max(0, s.unread[r.topic]-1)
			s.mu.Unlock()
			s.read.Broadcast()
		})
	}
	s.mu.Lock()
	s.unread[r.topic] = 0
	s.mu.Unlock()
}

// endedContext is a context that has ended.
var endedContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// join begins to join a room. It does not wait for the answer, which is shown as a frame.
func (r *room) join() error {
	_, err := r.channel.Join(endedContext)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// joinPayload is the payload of a join: the typed one, with the secrets from files, and with the position
// of an earlier channel if it is not empty.
func (t *target) joinPayload(typed wire.Payload, since string) (any, error) {
	if len(t.joinFiles) == 0 && since == "" {
		return payloadValue(typed), nil
	}
	object := map[string]json.RawMessage{}
	if len(typed.Data) > 0 {
		if typed.Binary || json.Unmarshal(typed.Data, &object) != nil || object == nil {
			return nil, errors.New("with --join-file the payload of a join is an object")
		}
	}
	if since != "" {
		object[t.sinceParam] = jsontext.AppendString(nil, since)
	}
	for name, path := range t.joinFiles {
		secret, err := t.secrets.read(path)
		if err != nil {
			return nil, err
		}
		if object[name], err = json.Marshal(secret); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// payloadValue returns a payload in the form that package client expects.
func payloadValue(p wire.Payload) any {
	switch {
	case p.Binary:
		return p.Data
	case len(p.Data) == 0:
		return json.RawMessage("{}")
	}
	return json.RawMessage(p.Data)
}

// find returns the room of a topic, or the current one if topic is "".
func (s *session) find(topic string) (*room, error) {
	if topic == "" {
		topic = s.current
	}
	switch r := s.rooms[topic]; {
	case topic == "":
		return nil, errNoTopic
	case r == nil:
		return nil, fmt.Errorf("%s is not joined: join %s", topic, topic)
	default:
		return r, nil
	}
}

// channel returns the channel of a room, or an error if there is no connection.
func (s *session) channel(topic string) (*client.Channel, error) {
	r, err := s.find(topic)
	switch {
	case err != nil:
		return nil, err
	case r.channel == nil || !s.alive():
		return nil, errDisconnected
	}
	return r.channel, nil
}

// leave leaves a topic and does not wait for the answer.
func (s *session) leave(topic string, done func(error)) error {
	r, err := s.find(topic)
	if err != nil {
		return err
	}
	s.forget(r.topic)
	if ch := r.channel; ch != nil {
		s.start(func() { done(ch.Leave(s.life)) })
	}
	return nil
}

// forget removes a topic from the list. The topic that was joined before it becomes the current one.
func (s *session) forget(topic string) {
	delete(s.rooms, topic)
	s.mu.Lock()
	if len(s.left) < maxNames && !slices.Contains(s.left, topic) {
		s.left = append(s.left, topic)
	}
	s.order = slices.DeleteFunc(s.order, func(t string) bool { return t == topic })
	delete(s.let, topic)
	delete(s.unread, topic)
	s.mu.Unlock()
	if s.current == topic {
		s.current = ""
		if n := len(s.order); n > 0 {
			s.current = s.order[n-1]
		}
	}
}

// settle waits until the list of presences has all changes that were shown before, usually less than a
// millisecond. Events of an earlier join never get into the list, so the wait is bounded by a number of
// ticks. A time in which the process is stopped counts as one tick.
func (s *session) settle(topic string) {
	const tick, patience = 100 * time.Millisecond, 30
	s.mu.Lock()
	defer s.mu.Unlock()
	ticks := 0
	var clock *time.Timer
	clock = time.AfterFunc(tick, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if ticks++; ticks < patience {
			clock.Reset(tick)
		}
		s.read.Broadcast()
	})
	defer func() { ticks = patience; clock.Stop() }()
	for s.unread[topic] > 0 && ticks < patience {
		s.read.Wait()
	}
	s.unread[topic] = 0
}

// who lists the presences of a topic, with their metas.
func (s *session) who(topic string) error {
	r, err := s.find(topic)
	switch {
	case err != nil:
		return err
	case r.channel == nil:
		return errDisconnected
	}
	s.settle(r.topic)
	list := r.here.List()
	if s.print.form == formJSON {
		present := make(map[string][]json.RawMessage, len(list))
		for key, entry := range list {
			present[key] = entry.Metas
		}
		s.print.state("present", record{Topic: r.topic, Payload: present})
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  %s", s.print.paint(bold, escape(r.topic)))
	switch n := len(list); n {
	case 0:
		b.WriteString(": nobody is known to be here")
	case 1:
		b.WriteString(": one user")
	default:
		fmt.Fprintf(&b, ": %d users", n)
	}
	if state := r.channel.State(); state != client.StateJoined {
		fmt.Fprintf(&b, ", as it was; the channel is %s", state)
	}
	b.WriteByte('\n')
	for _, key := range slices.Sorted(maps.Keys(list)) {
		s.user(&b, key, list[key].Metas)
	}
	s.print.answer(b.String())
	return nil
}

// user formats one presence as a line.
func (s *session) user(b *strings.Builder, key string, metas []json.RawMessage) {
	fmt.Fprintf(b, "  %s", s.print.paint(green, escape(key)))
	if len(metas) > 1 {
		fmt.Fprintf(b, " ×%d", len(metas))
	}
	for _, meta := range metas {
		if meta = shownMeta(meta); string(meta) != "{}" {
			text, left := s.print.json(s.print.mask(string(meta)), s.print.limit)
			b.WriteString("  " + text + cutNote(left))
		}
	}
	b.WriteByte('\n')
}

// shownMeta returns a meta without the members that the server adds.
func shownMeta(meta json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(meta, &object) != nil || object == nil {
		return meta
	}
	delete(object, "phx_ref")
	delete(object, "phx_ref_prev")
	if text, err := jsontext.Append(nil, object); err == nil {
		return text
	}
	return meta
}

// topics lists the joined topics.
func (s *session) topics() {
	states := make(map[string]string, len(s.order))
	var b strings.Builder
	for _, topic := range s.order {
		mark, state := " ", "disconnected"
		if topic == s.current {
			mark = "*"
		}
		if ch := s.rooms[topic].channel; ch != nil {
			state = string(ch.State())
		}
		states[topic] = state
		fmt.Fprintf(&b, "%s %s  %s\n", mark, s.print.paint(bold, escape(topic)), state)
	}
	switch {
	case s.print.form == formJSON:
		s.print.state("topics", record{Payload: states})
	case len(states) == 0:
		s.print.answer("  no topic is joined\n")
	default:
		s.print.answer(b.String())
	}
}

// heartbeat measures a round trip. It may be called from any goroutine.
func (s *session) heartbeat(ctx context.Context, socket *client.Socket) error {
	took, err := socket.Ping(ctx)
	if err == nil {
		s.print.news(green, "heartbeat", "the server answered in "+span(took), record{Millis: millis(took)})
	}
	return err
}
