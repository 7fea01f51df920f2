package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

func TestMain(m *testing.M) { waittest.Main(m) }

// wire is a Link to nobody: what is published comes back, unless it is told to stop
// delivering without a word.
type wire struct {
	mu         sync.Mutex
	events     Events
	subscribed [][]string // the calls
	dropped    []string
	published  []Outgoing
	refuse     error // Subscribe fails with it
	reject     error // Publish condemns everything with it
	away       bool
	silent     bool
	resets     int
	hold       chan struct{} // Subscribe waits for it
	server     string
}

func (w *wire) Open(_ context.Context, e Events) error { w.events = e; return nil }

func (w *wire) Subscribe(ctx context.Context, channels []string) error {
	w.mu.Lock()
	w.subscribed = append(w.subscribed, channels)
	hold, refuse := w.hold, w.refuse
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return refuse
}

func (w *wire) Unsubscribe(channels []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropped = append(w.dropped, channels...)
	return nil
}

func (w *wire) Publish(_ context.Context, messages []Outgoing) (int, error) {
	w.mu.Lock()
	away, reject, silent := w.away, w.reject, w.silent
	if !away && reject == nil {
		w.published = append(w.published, messages...)
	}
	w.mu.Unlock()
	switch {
	case away:
		return 0, ErrAway
	case reject != nil && kind(messages[0].Data[3]) <= kindBinary:
		return 0, reject
	}
	if !silent {
		for _, m := range messages {
			w.events.Message(m.Channel, append([]byte(nil), m.Data...))
		}
	}
	return len(messages), nil
}

func (w *wire) MaxPayload() int { return 1 << 20 }
func (w *wire) Server() string  { return w.server }
func (w *wire) Close()          {}

func (w *wire) Reset() {
	w.mu.Lock()
	w.resets++
	w.silent = false
	w.mu.Unlock()
	w.events.Down(errors.New("reset"))
	w.events.Up()
}

func (w *wire) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// ear is a Receiver that keeps what it gets.
type ear struct {
	mu       sync.Mutex
	messages []string
	gaps     []pubsub.Gap
}

func (e *ear) Receive(m *pubsub.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.messages = append(e.messages, m.Event)
	if m.Event == "panic" {
		panic("a subscriber")
	}
}

func (e *ear) Gap(g pubsub.Gap) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gaps = append(e.gaps, g)
}

func (e *ear) take() (messages []string, gaps []pubsub.Gap) {
	e.mu.Lock()
	defer e.mu.Unlock()
	messages, gaps = e.messages, e.gaps
	e.messages, e.gaps = nil, nil
	return messages, gaps
}

// inBubble runs a test with a started node, in fake time.
func inBubble(t *testing.T, o Options, w *wire, test func(t *testing.T, n *Node, e *ear)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Logger = slog.New(slog.DiscardHandler)
		if o.Node == "" {
			o.Node = "me"
		}
		n, err := New(o, w)
		if err != nil {
			t.Fatal(err)
		}
		e := &ear{}
		if err := n.Start(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		test(t, n, e)
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{}, {Node: "a b"}, {Node: strings.Repeat("n", MaxName+1)}, {Node: "a", Prefix: "a b"}, {Node: "a", Prefix: ".a"},
		{Node: "a", Prefix: "a."}, {Node: "a", Prefix: "a>"}, {Node: "a", Buffer: -1}, {Node: "a", Beat: -1}, {Node: "a", Beat: time.Microsecond},
		{Node: "a", Secret: []byte("short")},
	} {
		n, err := New(o, &wire{})
		if err == nil || !strings.HasPrefix(err.Error(), "option ") || !strings.ContainsAny(err.Error(), ";") {
			t.Errorf("%+v: node %v, error %v; want a sentence that names the option and says what to do", o, n, err)
		}
	}
	n, err := New(Options{Node: "a"}, &wire{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Broadcast(&pubsub.Message{}); err != pubsub.ErrStopped {
		t.Errorf("Broadcast before Start: %v", err)
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Errorf("Stop before Start: %v", err)
	}
}

// TestSharedConfirmation has topics that come up while others are being confirmed:
// they all go in one call.
func TestSharedConfirmation(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, _ *ear) {
		hold := make(chan struct{})
		w.do(func() { w.hold, w.subscribed = hold, nil })
		first := n.Interest("first")
		synctest.Wait()
		var others []<-chan struct{}
		for i := range 100 {
			others = append(others, n.Interest(fmt.Sprint(i)))
		}
		n.Forget("7")
		if n.Interest("3") != others[3] {
			t.Error("another channel for a topic that is not confirmed yet")
		}
		if h := n.Health(); h.Topics != 101 || h.Pending != 101 {
			t.Errorf("%d topics, %d pending", h.Topics, h.Pending)
		}
		close(hold)
		<-first
		for _, ready := range others {
			<-ready
		}
		synctest.Wait()
		w.do(func() {
			if len(w.subscribed) != 2 || len(w.subscribed[0]) != 1 || len(w.subscribed[1]) != 99 {
				t.Errorf("%d calls: %v", len(w.subscribed), w.subscribed)
			}
			if len(w.dropped) != 0 {
				t.Errorf("dropped %v, which was never subscribed", w.dropped)
			}
		})
		n.Forget("3")
		n.Forget("4")
		if n.Interest("4") != nil {
			t.Error("interest that has not been given up yet is not there at once")
		}
		synctest.Wait()
		w.do(func() {
			if len(w.dropped) != 1 || w.dropped[0] != TopicChannel("bennu", "3") {
				t.Errorf("dropped %v", w.dropped)
			}
		})
		if h := n.Health(); h.Topics != 99 || h.Pending != 0 {
			t.Errorf("%d topics, %d pending", h.Topics, h.Pending)
		}
	})
}

// TestSubscribeRetried has a broker that refuses for a while.
func TestSubscribeRetried(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, _ *ear) {
		w.do(func() { w.refuse = errors.New("not now") })
		ready := n.Interest("t")
		time.Sleep(10 * retryPause)
		select {
		case <-ready:
			t.Error("confirmed though the broker refuses")
		default:
		}
		w.do(func() { w.refuse = nil })
		<-ready
	})
}

// TestStarvation has a broker that stops delivering without a word: after two beats the
// link is made anew, and everybody is told of the gap.
func TestStarvation(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{Beat: time.Second}, w, func(t *testing.T, n *Node, e *ear) {
		time.Sleep(10 * time.Second)
		w.do(func() {
			if w.resets != 0 {
				t.Errorf("%d resets while all was well", w.resets)
			}
			w.silent = true
		})
		time.Sleep(3500 * time.Millisecond)
		w.do(func() {
			if w.resets != 1 {
				t.Errorf("%d resets, want 1", w.resets)
			}
		})
		if _, gaps := e.take(); len(gaps) != 1 || gaps[0].Topic != "" {
			t.Errorf("gaps %+v", gaps)
		}
		if h := n.Health(); h.Gaps != 1 || !h.Connected {
			t.Errorf("health %+v", h)
		}
		time.Sleep(10 * time.Second)
		w.do(func() {
			if w.resets != 1 {
				t.Errorf("%d resets, want no more", w.resets)
			}
		})
	})
}

// TestBuffer fills the buffer while the broker is away. What does not fit is refused
// and numbered.
func TestBuffer(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{Buffer: 10_000}, w, func(t *testing.T, n *Node, e *ear) {
		w.do(func() { w.away = true })
		n.Down(errors.New("gone"))
		var taken, refused int
		for range 100 {
			switch err := n.Broadcast(&pubsub.Message{Topic: "t", Event: "e", Payload: make([]byte, 500)}); err {
			case nil:
				taken++
			case pubsub.ErrBufferFull:
				refused++
			default:
				t.Fatal(err)
			}
		}
		h := n.Health()
		if taken == 0 || taken > 20 || refused == 0 || h.Lost != int64(refused) || h.Buffered > 10_000 || h.Connected || h.Err == nil {
			t.Errorf("taken %d, refused %d, health %+v", taken, refused, h)
		}
		w.do(func() { w.away, w.published = false, nil })
		n.Up()
		synctest.Wait()
		if err := n.Broadcast(&pubsub.Message{Topic: "t"}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		w.do(func() {
			var last envelope
			count := 0
			for _, o := range w.published {
				if env, err := n.codec.decode(o.Channel, o.Data); err == nil && env.isMessage() {
					count++
					last = env
				}
			}
			if count != taken+1 || last.seq != uint64(taken+refused+1) {
				t.Errorf("%d sent, the last has number %d; want %d and %d", count, last.seq, taken+1, taken+refused+1)
			}
		})
		if h := n.Health(); h.Buffered != 0 {
			t.Errorf("%d bytes wait for nothing", h.Buffered)
		}
		if _, gaps := e.take(); len(gaps) != 1 {
			t.Errorf("gaps %+v", gaps)
		}
	})
}

// TestRejected has a broker that condemns messages: they are lost, counted, and do not
// hold up the next.
func TestRejected(t *testing.T) {
	w := &wire{reject: errors.New("no permission")}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, _ *ear) {
		for range 3 {
			if err := n.Broadcast(&pubsub.Message{Topic: "t"}); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if h := n.Health(); h.Lost != 3 || h.Buffered != 0 {
			t.Errorf("health %+v", h)
		}
	})
}

// TestDelivery takes what comes from another node, once, in order, and of the
// right topic.
func TestDelivery(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, e *ear) {
		<-n.Interest("t")
		channel := TopicChannel("bennu", "t")
		come := func(seq uint64, topic, event string) {
			env := envelope{kind: kindText, boot: 5, epoch: 1, seq: seq, message: pubsub.Message{Topic: topic, Event: event}}
			n.Message(channel, n.codec.encode(channel, &env))
			synctest.Wait()
		}
		come(1, "t", "1")
		come(1, "t", "1")
		come(2, "other", "wrong topic")
		come(2, "t", "panic")
		come(3, "t", "3")
		come(6, "t", "6")
		come(5, "t", "5")
		n.Message(TopicChannel("bennu", "unwanted"), n.codec.encode("", &envelope{kind: kindText, boot: 5, seq: 1}))
		n.Message(channel, []byte("garbage"))
		n.Message(channel, n.codec.encode(channel, &envelope{kind: kindBeat, boot: 5, node: "x"}))
		synctest.Wait()
		messages, gaps := e.take()
		if fmt.Sprint(messages) != "[1 panic 3 6]" {
			t.Errorf("got %v", messages)
		}
		if len(gaps) != 1 || gaps[0].Topic != "t" || gaps[0].Missed != 2 {
			t.Errorf("gaps %+v", gaps)
		}
		if h := n.Health(); h.Received != 4 || h.Missed != 2 || h.Discarded != 2 || h.Garbage != 3 {
			t.Errorf("health %+v", h)
		}
	})
}

// TestSync waits for the nodes at other servers, and for none that is gone.
func TestSync(t *testing.T) {
	w := &wire{server: "here"}
	inBubble(t, Options{Beat: time.Hour}, w, func(t *testing.T, n *Node, _ *ear) {
		say := func(channel string, e envelope) {
			n.Message(channel, n.codec.encode(channel, &e))
		}
		say(n.control, envelope{kind: kindHello, boot: 7, node: "near", server: "here"})
		say(n.control, envelope{kind: kindHello, boot: 8, node: "far", server: "there"})
		say(n.control, envelope{kind: kindHello, boot: 9, node: "dead", server: "nowhere"})
		if got := fmt.Sprint(n.Health().Peers); got != "[dead far near]" {
			t.Errorf("peers %s", got)
		}
		began := time.Now()
		ready := n.Interest("t")
		synctest.Wait()
		var which uint64
		w.do(func() {
			for _, o := range w.published {
				if e, err := n.codec.decode(o.Channel, o.Data); err == nil && e.kind == kindSync {
					which = e.about
				}
			}
		})
		say(n.inbox, envelope{kind: kindSynced, boot: 8, node: "far", about: which + 1}) // of an earlier one
		say(n.inbox, envelope{kind: kindSynced, boot: 7, node: "near", about: which})
		synctest.Wait()
		select {
		case <-ready:
			t.Fatal("confirmed before the node at the other server has answered")
		default:
		}
		say(n.inbox, envelope{kind: kindSynced, boot: 8, node: "far", about: which})
		<-ready
		if d := time.Since(began); d != syncTime {
			t.Errorf("the dead node was waited for %v, want %v", d, syncTime)
		}
		// It is not waited for again, and one that says goodbye is not at all.
		again := n.Interest("u")
		synctest.Wait()
		say(n.control, envelope{kind: kindBye, boot: 8, node: "far"})
		began = time.Now()
		<-again
		if d := time.Since(began); d != 0 {
			t.Errorf("waited %v", d)
		}
		if got := fmt.Sprint(n.Health().Peers); got != "[near]" {
			t.Errorf("peers %s", got)
		}
	})
}

// TestNamesake hears another node of its own name.
func TestNamesake(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{Beat: time.Second}, w, func(t *testing.T, n *Node, _ *ear) {
		n.Message(n.control, n.codec.encode(n.control, &envelope{kind: kindHello, boot: 7, node: "me"}))
		synctest.Wait()
		answered := false
		w.do(func() {
			for _, o := range w.published {
				e, err := n.codec.decode(o.Channel, o.Data)
				answered = answered || err == nil && o.Channel == n.inbox && e.kind == kindTaken && e.about == 7
			}
		})
		if !answered {
			t.Error("a newcomer with this name is not told")
		}
		if h := n.Health(); h.Err == nil || h.Conflicts != 1 {
			t.Errorf("health %+v", h)
		}
		time.Sleep(5 * time.Second)
		if h := n.Health(); h.Err != nil {
			t.Errorf("health some time after: %+v", h)
		}
	})
}

// TestPeersExpire forgets who is not heard of any more.
func TestPeersExpire(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{Beat: time.Second}, w, func(t *testing.T, n *Node, _ *ear) {
		n.Message(n.control, n.codec.encode(n.control, &envelope{kind: kindBeat, boot: 7, node: "x"}))
		time.Sleep(2 * time.Second)
		if len(n.Health().Peers) != 1 {
			t.Error("forgotten too early")
		}
		time.Sleep(5 * time.Second)
		if len(n.Health().Peers) != 0 {
			t.Error("not forgotten")
		}
		if h := n.Health(); h.Gaps != 0 {
			t.Errorf("a node that is gone is a gap: %+v", h)
		}
		// It was only cut off, and published meanwhile.
		n.Message(n.control, n.codec.encode(n.control, &envelope{kind: kindBeat, boot: 7, node: "x"}))
		synctest.Wait()
		if h := n.Health(); len(h.Peers) != 1 || h.Gaps != 1 {
			t.Errorf("a node that comes back is no gap: %+v", h)
		}
		n.Message(n.control, n.codec.encode(n.control, &envelope{kind: kindBeat, boot: 7, node: "x"}))
		synctest.Wait()
		if h := n.Health(); h.Gaps != 1 {
			t.Errorf("it is told more than once: %+v", h)
		}
	})
}

// TestStopWhenBrokerGoes stops a node whose broker goes away at that moment.
func TestStopWhenBrokerGoes(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, _ *ear) {
		w.do(func() { w.away = true })
		if err := n.Broadcast(&pubsub.Message{Topic: "t"}); err != nil {
			t.Error(err)
		}
		time.AfterFunc(time.Second, func() { n.Down(errors.New("gone")) })
		began := time.Now()
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d != time.Second {
			t.Errorf("Stop took %v, want the second until it is known that the broker is away", d)
		}
	})
}

// TestStopAway stops a node whose broker is away: what waits is lost, and counted.
func TestStopAway(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, _ *ear) {
		w.do(func() { w.away = true })
		n.Down(errors.New("gone"))
		if err := n.Broadcast(&pubsub.Message{Topic: "t"}); err != nil {
			t.Error(err)
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if h := n.Health(); h.Lost == 0 || h.Connected || h.Err != pubsub.ErrStopped {
			t.Errorf("health %+v", h)
		}
	})
}
