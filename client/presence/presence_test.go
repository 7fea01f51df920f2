package presence

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

type online struct {
	Name string `json:"name"`
	At   int    `json:"online_at"`
}

// script is a Presence whose messages a test writes, with a record of its callbacks.
type script struct {
	*Presence[online]
	log []string
}

func newScript(t *testing.T, opts *Options) *script {
	t.Helper()
	s, err := client.New("ws://example.com/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	sc := &script{Presence: New[online](s.Channel("room", nil), opts)}
	sc.OnJoin(func(c Change[online]) {
		sc.log = append(sc.log, fmt.Sprintf("join %s %v %v", c.Key, c.Metas, c.Others))
	})
	sc.OnLeave(func(c Change[online]) {
		sc.log = append(sc.log, fmt.Sprintf("leave %s %v %v", c.Key, c.Metas, c.Others))
	})
	sc.OnSync(func() { sc.log = append(sc.log, fmt.Sprint("sync ", sc.keys())) })
	return sc
}

func (s *script) keys() string {
	list := s.List()
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(list)) {
		fmt.Fprint(&b, key, list[key].Metas, " ")
	}
	return b.String()
}

func (s *script) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.log, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(s.log, "\n\t"), strings.Join(want, "\n\t"))
	}
	s.log = nil
}

func message(joinRef, event, payload string) client.Message {
	return client.Message{JoinRef: joinRef, Event: event, Payload: client.Payload{Data: []byte(payload)}}
}

// metas returns the JSON of an entry. The name of each meta is its ref.
func metas(refs ...string) string {
	var list []string
	for _, ref := range refs {
		list = append(list, fmt.Sprintf(`{"phx_ref":%q,"name":%q}`, ref, ref))
	}
	return `{"metas":[` + strings.Join(list, ",") + `],"extra":1}`
}

func TestStateAndDiffs(t *testing.T) {
	s := newScript(t, nil)
	s.state(message("1", "", `{"a":`+metas("1")+`,"b":`+metas("2", "3")+`}`))
	s.expect(t, "join a [{1 0}] []", "join b [{2 0} {3 0}] []", "sync a[{1 0}] b[{2 0} {3 0}] ")

	// An update is a join and a leave: joins first.
	s.diff(message("1", "", `{"joins":{"a":`+metas("9")+`},"leaves":{"a":`+metas("1")+`}}`))
	s.expect(t, "join a [{9 0}] [{1 0}]", "leave a [{1 0}] [{9 0}]", "sync a[{9 0}] b[{2 0} {3 0}] ")

	// A meta that joins twice is in the list once; unknown leaves are ignored.
	s.diff(message("1", "", `{"joins":{"b":`+metas("3")+`},"leaves":{"zz":`+metas("7")+`}}`))
	s.expect(t, "join b [{3 0}] [{2 0} {3 0}]", "sync a[{9 0}] b[{2 0} {3 0}] ")

	s.diff(message("1", "", `{"joins":{},"leaves":{"b":`+metas("2", "3")+`}}`))
	s.expect(t, "leave b [{2 0} {3 0}] []", "sync a[{9 0}] ")
	if _, ok := s.Get("b"); ok {
		t.Error("b is still there")
	}
	if e, ok := s.Get("a"); !ok || !strings.Contains(string(e.Fields.Data), `"extra":1`) {
		t.Errorf("a is %+v", e)
	}

	// A list after a rejoin: only the differences are told.
	s.state(message("5", "", `{"a":`+metas("9", "10")+`,"__proto__":`+metas("11")+`}`))
	s.expect(t, "join __proto__ [{11 0}] []", "join a [{10 0}] [{9 0}]", "sync __proto__[{11 0}] a[{9 0} {10 0}] ")
	s.state(message("5", "", `{}`))
	s.expect(t, "leave __proto__ [{11 0}] []", "leave a [{9 0} {10 0}] []", "sync ")
}

// Diffs before the list are dropped: the list of a later join includes them.
func TestDiffsOfAnEarlierJoinAreForgotten(t *testing.T) {
	s := newScript(t, nil)
	s.diff(message("1", "", `{"joins":{"gone":`+metas("1")+`},"leaves":{}}`))
	s.state(message("2", "", `{"a":`+metas("2")+`}`))
	s.expect(t, "join a [{2 0}] []", "sync a[{2 0}] ")

	s.diff(message("3", "", `{"joins":{"gone":`+metas("1")+`},"leaves":{}}`))
	s.diff(message("4", "", `{"joins":{"b":`+metas("3")+`},"leaves":{}}`))
	s.state(message("4", "", `{"a":`+metas("2")+`}`))
	s.expect(t, "join b [{3 0}] []", "sync a[{2 0}] b[{3 0}] ")
}

func TestDiffsBeforeTheListOfTheirJoinWait(t *testing.T) {
	s := newScript(t, nil)
	s.diff(message("1", "", `{"joins":{"b":`+metas("2")+`},"leaves":{}}`))
	s.diff(message("1", "", `{"joins":{},"leaves":{"a":`+metas("1")+`}}`))
	s.expect(t)
	s.state(message("1", "", `{"a":`+metas("1")+`}`))
	s.expect(t, "join a [{1 0}] []", "join b [{2 0}] []", "leave a [{1 0}] []", "sync b[{2 0}] ")

	s.diff(message("4", "", `{"joins":{"c":`+metas("3")+`},"leaves":{}}`)) // of the next join
	s.expect(t)
	for range 3 * maxPending {
		s.diff(message("4", "", `{"joins":{},"leaves":{}}`))
	}
	if len(s.pending) != maxPending {
		t.Errorf("%d wait", len(s.pending))
	}
	large := `{"joins":{},"leaves":{},"x":"` + strings.Repeat("x", maxPendingBytes/10) + `"}`
	for range 20 {
		s.diff(message("4", "", large))
	}
	if len(s.pending) != 9 || s.bytes != 9*len(large) {
		t.Errorf("%d wait, of %d bytes", len(s.pending), s.bytes)
	}
	s.state(message("4", "", `{"b":`+metas("2")+`}`))
	s.expect(t, "sync b[{2 0}] ")
}

func TestWhatDoesNotFit(t *testing.T) {
	var log bytes.Buffer
	s := newScript(t, &Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, payload := range []string{`[]`, `{"a":1}`, `{"a":{"metas":7}}`, `{"a":{"metas":[{"phx_ref":1}]}}`, `{"a":{"metas":[{"phx_ref":"1","name":7}]}}`} {
		s.state(message("1", "presence_state", payload))
	}
	s.diff(message("1", "presence_diff", `{"joins":[]}`))
	s.expect(t)
	if n := strings.Count(log.String(), "level=ERROR"); n != 6 {
		t.Errorf("%d lines in the log:\n%s", n, log.String())
	}
}

// Against a real server, on all transports.
func TestWithTheFixture(t *testing.T) {
	addr := servetest.Serve(t, app.NewPatient(slog.New(slog.DiscardHandler)).Serve)
	for _, transport := range []string{"websocket", "longpoll"} {
		t.Run(transport, func(t *testing.T) {
			topic := "room:presence" + transport
			ada, adas := enter(t, addr, transport, topic, "ada")
			eventually(t, "ada sees herself", func() bool { return len(adas.List()) == 1 })
			bob, bobs := enter(t, addr, transport, topic, "bob")
			eventually(t, "both see both", func() bool { return len(adas.List()) == 2 && len(bobs.List()) == 2 })
			if err := bob.Send("upd", nil); err != nil {
				t.Fatal(err)
			}
			eventually(t, "ada sees the update", func() bool {
				e, _ := adas.Get("bob")
				return len(e.Metas) == 1 && e.Metas[0].At == 2
			})
			if err := bob.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "ada sees bob leave", func() bool { return len(adas.List()) == 1 })
			// The list survives a crash of the channel, and is brought up to date.
			if _, err := ada.Push(t.Context(), "boom", nil); err == nil {
				t.Error("boom was answered")
			}
			eventually(t, "ada is back", func() bool {
				_, ok := adas.Get("ada")
				return ok && ada.State() == client.StateJoined
			})
		})
	}
}

func enter(t *testing.T, addr string, transport string, topic, key string) (*client.Channel, *Presence[online]) {
	t.Helper()
	ht := &http.Transport{}
	t.Cleanup(ht.CloseIdleConnections)
	s, err := client.Dial(t.Context(), "ws://"+addr+"/socket", &client.Options{
		Transport: transport, HTTPClient: &http.Client{Transport: ht}, Timeout: waittest.Patience,
		RejoinAfter: func(int) time.Duration { return time.Millisecond },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ch := s.Channel(topic, map[string]any{"key": key, "name": key})
	p := New[online](ch, nil)
	if _, err := ch.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ch, p
}

var eventually = waittest.Until
