package bennu_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/bennu-go/bennu/internal/wstest"
)

// A witness is what one client has asked for and was told, and the rules that all answers
// obey.
type witness struct {
	t    *testing.T
	sent map[string]asked  // pushes without a reply, by ref
	live map[string]string // the join_ref of the joined channel, by topic
	over map[string]string // what told the end of a join_ref's channel
	last map[string]int    // number of the last broadcast, by topic and publisher
	log  []string          // what came and went last
}

// asked is a push that may get one reply.
type asked struct{ joinRef, topic, event, payload string }

func newWitness(t *testing.T) *witness {
	return &witness{t: t, sent: map[string]asked{}, live: map[string]string{}, over: map[string]string{}, last: map[string]int{}}
}

// note keeps a line for the message of a failure.
func (w *witness) note(line string) {
	if len(w.log) == 100 {
		w.log = append(w.log[:0], w.log[1:]...)
	}
	w.log = append(w.log, line)
}

func (w *witness) fatalf(format string, args ...any) {
	w.t.Helper()
	text := fmt.Sprintf(format, args...)
	for _, line := range w.log {
		text += "\n\t" + line
	}
	w.t.Fatal(text)
}

// asks says that a push is on its way.
func (w *witness) asks(ref string, a asked) {
	w.note(fmt.Sprintf("> %s %v", ref, a))
	w.sent[ref] = a
}

// open reports whether a push still must get its reply.
func (w *witness) open() bool {
	for _, a := range w.sent {
		if w.over[a.joinRef] == "" {
			return true
		}
	}
	return false
}

// sees checks one message.
func (w *witness) sees(m wstest.Message) {
	w.t.Helper()
	w.note("< " + m.String())
	switch m.Event {
	case "phx_reply":
		w.reply(m)
	case "phx_close", "phx_error":
		before := w.over[m.JoinRef]
		if before != "" && before != "leave" {
			w.fatalf("%v: the channel is over by %s", m, before)
		}
		w.end(m.Topic, m.JoinRef, m.Event)
	default:
		live := w.live[m.Topic]
		if live == "" || m.JoinRef != "null" && m.JoinRef != live {
			w.fatalf("%v: the topic is not joined; its live join_ref is %q", m, live)
		}
		if m.Event == "n" {
			w.order(m)
		}
	}
}

func (w *witness) reply(m wstest.Message) {
	w.t.Helper()
	a, ok := w.sent[m.Ref]
	if !ok {
		w.fatalf("%v: a reply to nothing, or a second one", m)
	}
	delete(w.sent, m.Ref)
	switch before := w.over[a.joinRef]; {
	case a.topic == "phoenix":
	case a.event == "phx_leave":
		if before == "" {
			w.end(a.topic, a.joinRef, "leave")
		}
	case a.event == "phx_join" && before != "":
		w.fatalf("%v: the channel is over by %s", m, before)
	case a.event == "phx_join" && m.Status == "ok":
		w.live[a.topic] = a.joinRef
	case a.event == "phx_join":
		w.over[a.joinRef] = "refusal"
	case before != "" && m.JoinRef != "null": // with null it says that the topic is not joined
		w.fatalf("%v: the channel is over by %s", m, before)
	}
}

func (w *witness) end(topic, joinRef, how string) {
	w.over[joinRef] = how
	if w.live[topic] == joinRef {
		delete(w.live, topic)
	}
}

// order wants the broadcasts of one publisher in their order, and none twice.
func (w *witness) order(m wstest.Message) {
	w.t.Helper()
	var n numberedNote
	if err := json.Unmarshal([]byte(m.Payload), &n); err != nil {
		w.fatalf("%v: %v", m, err)
	}
	key := m.Topic + " " + n.P
	if n.N <= w.last[key] {
		w.fatalf("%v after number %d", m, w.last[key])
	}
	w.last[key] = n.N
}
