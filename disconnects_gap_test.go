package bennu

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// TestOwnDisconnects checks that the list of disconnects has the age of each, and that its messages have a bounded size.
func TestOwnDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var own ownDisconnects
		own.add("lost") // more are remembered since than there may be
		var ids []string
		for i := range maxDisconnects {
			id := strings.Repeat("x", i%7)
			ids = append(ids, id)
			own.add(id)
		}
		time.Sleep(time.Second + time.Microsecond)
		var told []string
		for left := own.all(); len(left) > 0; {
			m, rest := chunkOf(left)
			left = rest
			if len(m.Payload) > disconnectsChunk+100 {
				t.Errorf("a message of %d bytes", len(m.Payload))
			}
			for rest := m.Payload; len(rest) > 0; {
				id, milliseconds, more, ok := readDisconnect(rest)
				if !ok || milliseconds != 1000 {
					t.Fatalf("%q, %d ms ago, %v", id, milliseconds, ok)
				}
				told, rest = append(told, id), more
			}
		}
		slices.Reverse(ids) // the newest first
		if !slices.Equal(told, ids) {
			t.Errorf("told %d, want %d", len(told), len(ids))
		}
		own.add(strings.Repeat("x", maxDisconnectBytes))
		if len(own.queue) != 1 || own.bytes != maxDisconnectBytes {
			t.Errorf("%d are remembered, of %d bytes", len(own.queue), own.bytes)
		}
	})
}

// TestRecall closes the connections that began before a disconnect of which another node tells,
// and no others.
func TestRecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := usersOf("*", handlerFunc(joinQuiet), Limits{})
		users.ID = func(*Socket) string { return "7" }
		e, m := memEndpoint(t, users, nil)
		before := memDial(t, m)
		time.Sleep(10*time.Second - time.Nanosecond)
		after := memDial(t, m)
		d := &e.disconnects
		told := appendDisconnect(nil, "8", time.Second)
		told = appendDisconnect(told, "7", 20*time.Second) // before this endpoint began
		if !d.recall(told) || before.closed() != 0 {
			t.Errorf("closed with %d", before.closed())
		}
		time.Sleep(time.Millisecond)
		told = appendDisconnect(told, "7", 2*time.Millisecond)
		for range 2 {
			if !d.recall(told) || before.closed() == 0 || after.closed() != 0 {
				t.Errorf("closed with %d and %d", before.closed(), after.closed())
			}
		}
		for _, junk := range []string{"\xff", "\x01", "\x01\x05four", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
			if d.recall([]byte(junk)) {
				t.Errorf("%q is taken", junk)
			}
		}
	})
}

// TestRecallEarly closes a connection that the first millisecond of the endpoint has seen, with
// the disconnect of its id.
func TestRecallEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := usersOf("*", handlerFunc(joinQuiet), Limits{})
		users.ID = func(*Socket) string { return "7" }
		e, m := memEndpoint(t, users, nil)
		time.Sleep(time.Millisecond / 10)
		before := memDial(t, m)
		time.Sleep(604*time.Millisecond + time.Millisecond/2) // of the 604.5 ms, 604 are told
		if !e.disconnects.recall(appendDisconnect(nil, "7", 604*time.Millisecond)) || before.closed() == 0 {
			t.Errorf("closed with %d", before.closed())
		}
		time.Sleep(time.Millisecond / 2)
		again := memDial(t, m)
		for _, older := range []time.Duration{605 * time.Millisecond, 1<<63 - 1} {
			if !e.disconnects.recall(appendDisconnect(nil, "7", older)) || again.closed() != 0 {
				t.Errorf("%v ago: closed with %d", older, again.closed())
			}
		}
	})
}

// TestRecallKnown is told of the same disconnects again and again, as after each gap. They take
// their place once, and close what began before them all the same.
func TestRecallKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := usersOf("*", handlerFunc(joinQuiet), Limits{})
		users.ID = func(*Socket) string { return "7" }
		e, m := memEndpoint(t, users, nil)
		d := &e.disconnects
		time.Sleep(time.Minute)
		d.disconnect("6") // heard when it happened
		for ago := range 100 * time.Millisecond / time.Millisecond {
			time.Sleep(time.Millisecond)
			told := appendDisconnect(nil, "6", (ago+1)*time.Millisecond)
			told = appendDisconnect(told, "7", (ago+1001)*time.Millisecond)
			told = appendDisconnect(told, "7", (ago+2001)*time.Millisecond) // an older one
			if !d.recall(told) {
				t.Fatalf("%q is not taken", told)
			}
		}
		if len(d.queue) != 2 || d.bytes != 2 || len(d.latest) != 2 {
			t.Errorf("%d are remembered, of %d bytes and %d ids; want 2", len(d.queue), d.bytes, len(d.latest))
		}
		// A later one of a known id is news.
		before := memDial(t, m)
		time.Sleep(2 * time.Millisecond)
		if !d.recall(appendDisconnect(nil, "7", time.Millisecond)) || before.closed() == 0 || len(d.queue) != 3 {
			t.Errorf("closed with %d, %d are remembered", before.closed(), len(d.queue))
		}
	})
}

// fullAdapter is the adapter of a node "a" that has no other nodes. It records what is sent. When
// room is 0 it takes no message and returns err.
type fullAdapter struct {
	receiver pubsub.Receiver
	mu       sync.Mutex
	room     int
	tries    int
	sent     []string // the recipient, the event and the first id of each
	err      error    // returned when there is no room
}

func (f *fullAdapter) Node() string                                     { return "a" }
func (f *fullAdapter) Start(_ context.Context, r pubsub.Receiver) error { f.receiver = r; return nil }
func (f *fullAdapter) Broadcast(m *pubsub.Message) error                { return f.Direct("*", m) }
func (f *fullAdapter) Interest(string) <-chan struct{}                  { return nil }
func (f *fullAdapter) Forget(string)                                    {}
func (f *fullAdapter) Health() pubsub.Health                            { return pubsub.Health{} }
func (f *fullAdapter) Stop(context.Context) error                       { return nil }
func (f *fullAdapter) Direct(node string, m *pubsub.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if f.room == 0 {
		return f.err
	}
	f.room--
	text := node + " " + m.Event
	if m.Event == eventRemembered {
		id, _, _, _ := readDisconnect(m.Payload)
		text += " " + id[:1]
	}
	f.sent = append(f.sent, text)
	return nil
}

// take returns what was sent since the last call, and sets the room for further messages.
func (f *fullAdapter) take(room int) (sent []string, tries int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent, tries = f.sent, f.tries
	f.sent, f.tries, f.room = nil, 0, room
	return sent, tries
}

// tellingEndpoint is an endpoint that hears disconnects, with three that it tells in a message each.
func tellingEndpoint(t *testing.T) (*Endpoint, *fullAdapter) {
	f := &fullAdapter{err: pubsub.ErrBufferFull}
	ps, err := pubsub.New(t.Context(), &pubsub.Options{Adapter: f})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ps.Close(context.WithoutCancel(t.Context())) })
	users := usersOf("*", handlerFunc(joinQuiet), Limits{})
	users.ID = func(*Socket) string { return "7" }
	e, _ := memEndpoint(t, users, &EndpointOptions{PubSub: ps})
	for _, id := range []string{"1", "2", "3"} {
		e.disconnects.own.add(strings.Repeat(id, disconnectsChunk))
	}
	return e, f
}

// asks has another node ask.
func (f *fullAdapter) asks(node string) {
	f.receiver.Receive(&pubsub.Message{Topic: "phx:disconnect", Event: eventMissed, Payload: []byte(node), Binary: true})
}

// TestTellWhenThereIsRoom asks and tells others, the newest first, when the broker has room again.
func TestTellWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := tellingEndpoint(t)
		f.asks("b")
		f.receiver.Gap(pubsub.Gap{Cause: errors.New("away")})
		time.Sleep(30 * time.Second)
		if sent, tries := f.take(2); len(sent) > 0 || tries < 6 || tries > 60 {
			t.Errorf("sent %q in %d tries", sent, tries)
		}
		time.Sleep(6 * time.Second)
		sent, _ := f.take(1 << 10)
		time.Sleep(6 * time.Second)
		more, _ := f.take(1 << 10)
		sent = append(sent, more...)
		for _, to := range []string{"b", "*"} {
			var told []string
			for _, text := range sent {
				if strings.HasPrefix(text, to+" "+eventRemembered) {
					told = append(told, text[len(text)-1:])
				}
			}
			if !slices.Equal(told, []string{"3", "2", "1"}) {
				t.Errorf("%s was told %q", to, told)
			}
		}
		if len(sent) != 7 || !slices.Contains(sent, "* "+eventMissed) {
			t.Errorf("sent %q", sent)
		}
		if n := e.Stats(); n.Callbacks != 0 || n.Reasons["disconnects_untold"] != 0 {
			t.Errorf("%d goroutines, %v", n.Callbacks, n.Reasons)
		}
	})
}

// count counts a text in a list.
func count(list []string, text string) (n int) {
	for _, x := range list {
		if x == text {
			n++
		}
	}
	return n
}

// TestTellPace answers a node that asks all the time once a second, and the last time too.
func TestTellPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := tellingEndpoint(t)
		f.take(1 << 20)
		for range 10 {
			f.asks("b")
			f.receiver.Gap(pubsub.Gap{Cause: errors.New("away")})
		}
		synctest.Wait()
		for range 10 {
			f.asks("b")
			f.receiver.Gap(pubsub.Gap{Cause: errors.New("away")})
		}
		time.Sleep(10 * time.Second)
		// The first round may begin before the gaps are told. Then the second has them all.
		sent, _ := f.take(1 << 20)
		if b := count(sent, "b "+eventRemembered+" 1"); b != 2 {
			t.Errorf("b was answered %d times", b)
		}
		for _, text := range []string{"* " + eventRemembered + " 1", "* " + eventMissed} {
			if n := count(sent, text); n < 1 || n > 2 {
				t.Errorf("%q was sent %d times", text, n)
			}
		}
		for i := range 100 * maxAskers {
			f.asks(strings.Repeat("n", 1+i%maxAskerName))
		}
		time.Sleep(10 * time.Second)
		if sent, _ := f.take(1 << 20); len(sent) > 3*3*(maxAskers+1) || !slices.Contains(sent, "* "+eventRemembered+" 1") {
			t.Errorf("sent %d", len(sent))
		}
		f.asks("")
		f.asks(strings.Repeat("n", maxAskerName+1))
		synctest.Wait()
		if n := e.Stats(); n.Callbacks != 0 || n.Reasons["unsound"] != 2 {
			t.Errorf("%d goroutines, %v", n.Callbacks, n.Reasons)
		}
	})
}

// TestTellAtTheEnd has a node that is being told ask again. What was disconnected meanwhile is told
// when the endpoint ends.
func TestTellAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := tellingEndpoint(t)
		f.asks("b")
		synctest.Wait()
		e.disconnects.own.add("4")
		f.asks("b")
		synctest.Wait()
		f.take(1 << 10)
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if sent, _ := f.take(0); !slices.Contains(sent, "b "+eventRemembered+" 4") {
			t.Errorf("sent %q", sent)
		}
	})
}

// TestTellGivesUp says so after a minute, at once for another error, and with the endpoint's end.
func TestTellGivesUp(t *testing.T) {
	for name, end := range map[string]func(*Endpoint, *fullAdapter){
		"a minute": func(*Endpoint, *fullAdapter) { time.Sleep(66 * time.Second) },
		"error":    func(*Endpoint, *fullAdapter) { time.Sleep(time.Second) },
		"shutdown": func(e *Endpoint, _ *fullAdapter) { _ = e.Shutdown(context.Background()) },
	} {
		synctest.Test(t, func(t *testing.T) {
			e, f := tellingEndpoint(t)
			if name == "error" {
				f.err = errors.New("refused")
			}
			f.asks("b")
			synctest.Wait()
			if n := e.Stats(); n.Reasons["disconnects_untold"] != 0 && name != "error" {
				t.Errorf("%s: given up at once", name)
			}
			end(e, f)
			synctest.Wait()
			if n := e.Stats(); n.Callbacks != 0 || n.Reasons["disconnects_untold"] != 1 {
				t.Errorf("%s: %d goroutines, %v", name, n.Callbacks, n.Reasons)
			}
		})
	}
}
