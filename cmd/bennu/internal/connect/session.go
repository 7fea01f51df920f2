package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/wire"
)

// A session is one run of the command: the current connection, and the joined topics. One goroutine calls
// its methods, except those that the client calls for frames and states.
type session struct {
	target *target
	print  *printer
	script bool            // without a user, so refused topics are not left but end the script
	events chan struct{}   // gets a value for each event of the server; nil without --count
	life   context.Context // of the session: joins and leaves end with it

	socket  *client.Socket // nil after the command disconnect
	rooms   map[string]*room
	order   []string // the topics in the order in which they were joined; changed with mu, since completion reads it
	left    []string // topics that were joined before, at most maxNames; likewise
	current string
	tasks   task.Group
	rescue  func() // deferred in goroutines; nil without a terminal

	mu      sync.Mutex
	asked   map[string]question // messages that are not answered yet, by ref
	unread  map[string]int      // presence events that the list has not applied yet, by topic
	read    sync.Cond           // unread has changed
	names   map[string]bool     // events that were seen, for completion
	down    time.Time           // when the connection was lost, if it was
	tries   int                 // since then
	over    bool                // the server has closed it with the code 1000
	let     map[string]bool     // topics that were joined once
	crashed bool                // a channel, at any time
	refusal chan error          // the first refusal of a connection, for scripts
	refused chan string         // topics whose first join was refused; nil for scripts
}

// A question is a frame that waits for its reply.
type question struct {
	topic, event string
	joinRef      string // "" in version 1 of the protocol
	at           time.Time
	told         bool // a missing answer was reported
}

// Bounds on the questions and names that are kept.
const (
	maxAsked = 1000
	maxNames = 200
)

func newSession(t *target, p *printer) *session {
	s := &session{target: t, print: p, rooms: map[string]*room{}, asked: map[string]question{}, unread: map[string]int{},
		names: map[string]bool{}, let: map[string]bool{}, refusal: make(chan error, 1)}
	s.read.L = &s.mu
	return s
}

// open starts to connect.
func (s *session) open() error {
	socket, err := s.target.socket(&client.Trace{
		Connecting: s.connecting, Open: s.opened, Closed: s.closed,
		Sent:     func(f client.Frame) { s.frame(true, f) },
		Received: func(f client.Frame) { s.frame(false, f) },
		State:    s.state,
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	clear(s.asked)
	s.over, s.down = false, time.Time{}
	s.mu.Unlock()
	s.socket = socket
	socket.Connect()
	return nil
}

// alive reports whether there is a connection, or the socket tries to make one.
func (s *session) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.socket != nil && !s.over
}

// isDown reports whether the connection is lost, or could not be made.
func (s *session) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.down.IsZero()
}

// end closes the connection and waits for its goroutines.
func (s *session) end() {
	if s.socket == nil {
		return
	}
	for _, r := range s.rooms {
		if r.channel != nil && s.target.resume {
			r.since = r.channel.Position()
		}
		r.channel = nil
	}
	_ = s.socket.Close() // reported by the trace
	s.socket = nil
	_ = s.tasks.Wait(noLimit) // they end with the socket
}

// reopen connects again and joins the same topics.
func (s *session) reopen() error {
	s.end()
	if err := s.open(); err != nil {
		return err
	}
	var first error
	for _, topic := range s.order {
		s.connect(s.rooms[topic])
		if err := s.rooms[topic].join(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// start runs f in a goroutine that ends before the session does.
func (s *session) start(f func()) {
	s.tasks.Go(func() {
		if s.rescue != nil {
			defer s.rescue()
		}
		f()
	})
}

func (s *session) connecting(a client.Attempt) {
	s.mu.Lock()
	first := s.down.IsZero() && a.Try == 1
	s.tries = a.Try
	s.mu.Unlock()
	if first {
		s.print.news(dim, "connecting", "connecting to "+a.URL, record{})
	}
}

func (s *session) opened(a client.Attempt) {
	s.mu.Lock()
	text := "connected over " + a.Transport
	if !s.down.IsZero() {
		text = fmt.Sprintf("connected again over %s, %s later", a.Transport, span(time.Since(s.down)))
	}
	s.down = time.Time{}
	s.mu.Unlock()
	s.print.news(green, "open", text, record{})
}

// closed reports that a connection is lost or cannot be made. Of attempts that follow each other
// quickly it reports the first.
func (s *session) closed(c client.Closed) {
	s.mu.Lock()
	tell := c.WasOpen || !c.Retry || s.tries <= 1 || c.After >= time.Second
	if s.down.IsZero() && c.Retry {
		s.down = time.Now()
	}
	s.over = !c.Retry
	clear(s.asked)
	s.mu.Unlock()
	var refused *client.RefusedError
	if errors.As(c.Err, &refused) {
		select {
		case s.refusal <- c.Err:
		default: // reported already
		}
	}
	if errors.Is(c.Err, client.ErrClosed) {
		s.print.news(dim, "closed", "disconnected", record{})
		return
	}
	word, text := "lost", "connection lost"
	if !c.WasOpen {
		word, text = "failed", "cannot connect"
	}
	switch {
	case !tell || s.script && refused != nil: // a script ends with this error, and reports it then
		return
	case c.Retry && c.After >= time.Second:
		text += fmt.Sprintf(", trying again in %s", span(c.After))
	case c.Retry:
		text += ", trying again"
	case !s.script:
		text += "; reconnect makes another"
	}
	s.print.news(red, word, text, record{Error: s.target.explain(c.Err)})
}

// frame shows a frame. For a reply it finds the message that it answers.
func (s *session) frame(out bool, f client.Frame) {
	n := newFrame(time.Now(), out, f)
	if m := f.Message; m != nil {
		s.mu.Lock()
		s.note(out, m)
		if _, joined := s.unread[m.Topic]; joined && !out && isPresence(m.Event) {
			s.unread[m.Topic]++
		}
		ref := m.Ref.Text()
		switch {
		case out && ref != "" && len(s.asked) < maxAsked:
			q := question{topic: m.Topic, event: m.Event, joinRef: m.JoinRef.Text(), at: n.at}
			if m.Event == protocol.EventJoin {
				s.ended(q.topic, func(question) bool { return true })
			}
			s.asked[ref] = q
		case !out && (m.Event == protocol.EventError || m.Event == protocol.EventClose):
			s.crashed = s.crashed || m.Event == protocol.EventError
			joinRef := m.JoinRef.Text()
			s.ended(m.Topic, func(old question) bool {
				return old.joinRef == joinRef && (joinRef != "" || old.event != protocol.EventJoin)
			})
		case !out && m.Event == protocol.EventReply:
			if q, ok := s.asked[ref]; ok {
				delete(s.asked, ref)
				n.answered, n.to, n.took = true, q.event, n.at.Sub(q.at)
				s.joinAnswered(q, f.Status)
			}
		}
		s.mu.Unlock()
	}
	s.print.frame(n)
	if s.events != nil && n.event() {
		select {
		case s.events <- struct{}{}:
		default: // enough have come
		}
	}
}

// ended removes the questions of a join that has ended, since they get no answer.
func (s *session) ended(topic string, over func(question) bool) {
	maps.DeleteFunc(s.asked, func(_ string, q question) bool { return q.topic == topic && over(q) })
}

// joinAnswered gives up a topic whose first join is refused. Otherwise the client would try again, and
// each attempt would be shown.
func (s *session) joinAnswered(q question, status string) {
	switch {
	case q.event != protocol.EventJoin || s.refused == nil:
	case status == protocol.StatusOK:
		s.let[q.topic] = true
	case !s.let[q.topic]:
		select {
		case s.refused <- q.topic:
		default: // the channel is full, so the client tries again
		}
	}
}

// giveUp leaves a topic that was refused, unless the user has left it.
func (s *session) giveUp(topic string) {
	if r := s.rooms[topic]; r != nil && r.channel != nil && r.channel.State() != client.StateJoined {
		_ = s.leave(topic, func(error) {}) // there is nothing to leave at the server
	}
}

// state reports that a channel is down, if no frame shows the reason.
func (s *session) state(ch *client.Channel, state client.State, err error) {
	if state != client.StateErrored || err == nil || s.isDown() {
		return
	}
	var reply *client.ReplyError
	if errors.Is(err, client.ErrDisconnected) || errors.Is(err, client.ErrCrashed) || errors.As(err, &reply) {
		return
	}
	s.print.news(yellow, "down", ch.Topic()+" is down and joins again", record{Topic: ch.Topic(), Error: s.target.secrets.text(err)})
}

// note records the name of an event for completion.
func (s *session) note(out bool, m *wire.Message) {
	switch m.Event {
	case "", protocol.EventJoin, protocol.EventLeave, protocol.EventReply, protocol.EventClose, protocol.EventError,
		protocol.EventHeartbeat, protocol.EventResume, protocol.EventOffset:
		return
	}
	if escape(m.Event) == m.Event && len(s.names) < maxNames {
		s.names[m.Event] = true
	}
}

// sweep reports each push that was not answered within the timeout, once.
func (s *session) sweep() {
	s.mu.Lock()
	var late []question
	for ref, q := range s.asked {
		if !q.told && time.Since(q.at) > s.target.timeout && q.topic != protocol.TopicPhoenix {
			q.told = true
			s.asked[ref] = q
			late = append(late, q)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(late, func(a, b question) int { return a.at.Compare(b.at) })
	for _, q := range late {
		s.print.news(yellow, "unanswered", fmt.Sprintf("no reply to %s on %s for %s; some events have none", protocolName(q.event), q.topic, span(s.target.timeout)), record{Topic: q.topic, Event: q.event})
	}
}

// eventNames returns the events that were seen, sorted.
func (s *session) eventNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.names))
}

func (s *session) joined(topic string) bool { return s.rooms[topic] != nil }

// leftNames returns the topics that were left, for completion.
func (s *session) leftNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.left)
}

// topicNames returns the joined topics, for completion.
func (s *session) topicNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}
