package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
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
	if reject != nil {
		first := slices.IndexFunc(messages, func(m Outgoing) bool { return m.Question() || kind(m.Data[3]).isMessage() })
		if first >= 0 {
			messages = messages[:first]
		} else {
			reject = nil
		}
	}
	if !away {
		w.published = append(w.published, messages...)
	}
	w.mu.Unlock()
	if away {
		return 0, ErrAway
	}
	if !silent {
		for _, m := range messages {
			if strings.Contains(m.Channel, ".n.") && m.Channel != inboxChannel(DefaultPrefix, "me") {
				continue
			}
			w.events.Message(m.Channel, append([]byte(nil), m.Data...))
		}
	}
	return len(messages), reject
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
	synctest.Wait() // for what is told from goroutines of the node
	e.mu.Lock()
	defer e.mu.Unlock()
	messages, gaps = e.messages, e.gaps
	e.messages, e.gaps = nil, nil
	return messages, gaps
}

// mate is another node, as this one hears it.
type mate struct {
	n            *Node
	w            *wire
	boot         uint64
	name, server string
	number       uint64
}

// say delivers an envelope of control.
func (m *mate) say(channel string, e envelope) {
	m.number++
	e.boot, e.node, e.server, e.number = m.boot, m.name, m.server, m.number
	m.n.Message(channel, m.n.codec.encode(channel, &e))
	synctest.Wait()
}

// asked is what the node asks this one, or 0.
func (m *mate) asked() (ask uint64) {
	inbox := inboxChannel(m.n.options.Prefix, m.name)
	m.w.do(func() {
		for _, o := range m.w.published {
			e, err := m.n.codec.decode(o.Channel, o.Data)
			if err == nil && (o.Channel == inbox || o.Channel == m.n.control && e.kind == kindAsk && e.about == m.boot) && e.ask != 0 {
				ask = e.ask
			}
		}
	})
	return ask
}

// join says hello and proves that it is alive.
func (m *mate) join() *mate {
	m.say(m.n.control, envelope{kind: kindHello, ask: 1})
	m.say(m.n.inbox, envelope{kind: kindBeat, about: m.asked()})
	return m
}

// inBubble runs a test with a started node, in fake time.
func inBubble(t *testing.T, o Options, w *wire, test func(t *testing.T, n *Node, e *ear)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.Logger == nil {
			o.Logger = slog.New(slog.DiscardHandler)
		}
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
			if len(w.dropped) != 1 || w.dropped[0] != n.check {
				t.Errorf("dropped %v, of which only the channel of the start was subscribed", w.dropped)
			}
			w.dropped = nil
		})
		// While the node is busy with another topic it takes no Forget, so that none takes effect before
		// the Interest that follows it.
		hold = make(chan struct{})
		w.do(func() { w.hold = hold })
		n.Interest("another")
		synctest.Wait()
		n.Forget("3")
		n.Forget("4")
		if n.Interest("4") != nil {
			t.Error("interest that has not been given up yet is not there at once")
		}
		close(hold)
		synctest.Wait()
		w.do(func() {
			if len(w.dropped) != 1 || w.dropped[0] != TopicChannel("bennu", "3") {
				t.Errorf("dropped %v", w.dropped)
			}
		})
		if h := n.Health(); h.Topics != 100 || h.Pending != 0 {
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

// TestBrokerGoesWhileStarting loses what a node that starts asks for and says, which is asked for
// and said again.
func TestBrokerGoesWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{refuse: errors.New("connection lost"), silent: true}
		time.AfterFunc(time.Second, func() { w.do(func() { w.refuse = nil }) })
		time.AfterFunc(2500*time.Millisecond, func() { w.do(func() { w.silent = false }) })
		n, err := New(Options{Node: "me", Logger: slog.New(slog.DiscardHandler)}, w)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context(), &ear{}); err != nil {
			t.Error(err)
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
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
				if env, err := n.codec.decode(o.Channel, o.Data); err == nil && env.kind.isMessage() {
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
		(&mate{n: n, w: w, boot: 5, name: "other"}).join()
		come := func(seq uint64, topic, event string) {
			env := envelope{kind: kindText, boot: 5, serial: seq, epoch: 1, seq: seq, message: pubsub.Message{Topic: topic, Event: event}}
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

// TestInterestRetaken gives interest up and takes it again at once. What was delivered
// before is not delivered again when somebody publishes a copy of it.
func TestInterestRetaken(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, e *ear) {
		(&mate{n: n, w: w, boot: 5, name: "other"}).join()
		channel := TopicChannel("bennu", "t")
		come := func(serial uint64) {
			env := envelope{kind: kindText, boot: 5, serial: serial, epoch: 1, seq: serial, message: pubsub.Message{Topic: "t", Event: fmt.Sprint(serial)}}
			n.Message(channel, n.codec.encode(channel, &env))
			synctest.Wait()
		}
		for round := range uint64(3) {
			<-n.Interest("t")
			for serial := range round {
				come(serial + 1)
			}
			if messages, _ := e.take(); len(messages) != 0 {
				t.Errorf("round %d: %v came a second time", round, messages)
			}
			come(round + 1)
			if messages, _ := e.take(); len(messages) != 1 {
				t.Errorf("round %d: %v came, want a new message", round, messages)
			}
			n.Forget("t")
			synctest.Wait()
		}
	})
}

// TestInterestGone gives interest up while a message is being taken. Its number is noted with
// that interest, so it is not delivered: what is taken next would not know it.
func TestInterestGone(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, e *ear) {
		(&mate{n: n, w: w, boot: 5, name: "other"}).join()
		channel := TopicChannel("bennu", "t")
		<-n.Interest("t")
		it := n.interests.get(channel)
		it.sources.mu.Lock() // the message waits for it
		env := envelope{kind: kindText, boot: 5, serial: 1, epoch: 1, seq: 1, message: pubsub.Message{Topic: "t"}}
		data := n.codec.encode(channel, &env)
		n.Message(channel, bytes.Clone(data))
		for range 1000 { // no fake time passes while somebody waits for a lock
			runtime.Gosched()
		}
		n.Forget("t")
		for n.interests.get(channel) != nil {
			runtime.Gosched()
		}
		ready := n.Interest("t")
		it.sources.mu.Unlock()
		<-ready
		n.Message(channel, bytes.Clone(data))
		if messages, _ := e.take(); len(messages) > 1 {
			t.Errorf("%d times the same message", len(messages))
		}
	})
}

// TestSync waits for the nodes at other servers, and for none that is gone.
func TestSync(t *testing.T) {
	w := &wire{server: "here"}
	inBubble(t, Options{Beat: time.Hour}, w, func(t *testing.T, n *Node, _ *ear) {
		near := (&mate{n: n, w: w, boot: 7, name: "near", server: "here"}).join()
		far := (&mate{n: n, w: w, boot: 8, name: "far", server: "there"}).join()
		(&mate{n: n, w: w, boot: 9, name: "dead", server: "nowhere"}).join()
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
		far.say(n.inbox, envelope{kind: kindSynced, about: which - 1}) // of an earlier one
		near.say(n.inbox, envelope{kind: kindSynced, about: which})
		select {
		case <-ready:
			t.Fatal("confirmed before the node at the other server has answered")
		default:
		}
		far.say(n.inbox, envelope{kind: kindSynced, about: which})
		<-ready
		if d := time.Since(began); d != syncTime {
			t.Errorf("the dead node was waited for %v, want %v", d, syncTime)
		}
		// It is not waited for again, and one that says goodbye is not at all.
		again := n.Interest("u")
		synctest.Wait()
		far.say(n.control, envelope{kind: kindBye})
		began = time.Now()
		<-again
		if d := time.Since(began); d != 0 {
			t.Errorf("waited %v", d)
		}
		if got := fmt.Sprint(n.Health().Peers); got != "[dead near]" {
			t.Errorf("peers %s", got)
		}
	})
}

// TestMissedBeforeSync tells of messages that did not come when they were published after the
// other node had answered that it knows of the interest. What came before that was published
// again by a stranger.
func TestMissedBeforeSync(t *testing.T) {
	for _, test := range []struct {
		name                  string
		first, answer, second uint64 // serials
		elsewhere             uint64 // messages to other topics between them
		late                  bool   // the answer comes after syncTime
		want                  int64
	}{
		{"one before", 1, 2, 3, 0, false, 0},
		{"all before", 1, 5, 5, 0, false, 0},
		{"one before and one after", 1, 2, 4, 0, false, 1},
		{"all after", 1, 1, 4, 0, false, 2},
		{"perhaps after", 1, 3, 5, 2, false, 1},
		{"late", 1, 2, 3, 0, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &wire{server: "here"}
			inBubble(t, Options{Beat: time.Hour}, w, func(t *testing.T, n *Node, e *ear) {
				far := (&mate{n: n, w: w, boot: 8, name: "far", server: "there"}).join()
				come := func(serial, seq uint64) {
					channel := TopicChannel("bennu", "t")
					env := envelope{kind: kindText, boot: 8, serial: serial, epoch: 1, seq: seq, message: pubsub.Message{Topic: "t"}}
					n.Message(channel, n.codec.encode(channel, &env))
					synctest.Wait()
				}
				ready := n.Interest("t")
				synctest.Wait()
				come(test.first, test.first)
				if test.late {
					<-ready
				}
				far.say(n.inbox, envelope{kind: kindSynced, about: w.lastSync(n), serial: test.answer})
				<-ready
				e.take()
				come(test.second, test.second-test.elsewhere)
				var told int64
				_, gaps := e.take()
				for _, g := range gaps {
					told += int64(g.Missed)
				}
				if missed := n.Health().Missed; missed != test.want || told != test.want {
					t.Errorf("%d messages missed, %d told of; want %d", missed, told, test.want)
				}
			})
		})
	}
}

// TestNamesake hears another node of its own name.
func TestNamesake(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{Beat: time.Second}, w, func(t *testing.T, n *Node, e *ear) {
		late := &mate{n: n, w: w, boot: 7, name: "me"}
		late.say(n.control, envelope{kind: kindHello, ask: 77})
		if h := n.Health(); h.Err != nil || h.Conflicts != 0 {
			t.Errorf("health %+v, after a hello that may be an old one", h)
		}
		answered := false
		w.do(func() {
			for _, o := range w.published {
				e, err := n.codec.decode(o.Channel, o.Data)
				answered = answered || err == nil && o.Channel == n.inbox && e.kind == kindBeat && e.about == 77 && e.holds
			}
		})
		if !answered {
			t.Error("a newcomer with this name is not told")
		}
		late.say(n.inbox, envelope{kind: kindBeat, about: late.asked(), started: n.started + 1})
		if h := n.Health(); h.Err != nil || h.Conflicts != 1 {
			t.Errorf("health %+v, after a newcomer was refused", h)
		}
		// One that holds the name as well, and is younger, goes.
		late.say(n.control, envelope{kind: kindBeat, holds: true, started: n.started + 1})
		late.say(n.inbox, envelope{kind: kindBeat, holds: true, about: late.asked(), started: n.started + 1})
		if h := n.Health(); !errors.Is(h.Err, pubsub.ErrNameTaken) || !h.Connected || h.Conflicts != 2 {
			t.Errorf("the older node: health %+v", h)
		}
		time.Sleep(5 * time.Second)
		if h := n.Health(); h.Err != nil || h.Conflicts != 2 {
			t.Errorf("the older node, some time after: health %+v", h)
		}
		// An older one stays.
		<-n.Interest("t")
		late.say(n.control, envelope{kind: kindBeat, holds: true, started: n.started - 1})
		late.say(n.inbox, envelope{kind: kindBeat, holds: true, about: late.asked(), started: n.started - 1})
		time.Sleep(5 * time.Second)
		if h := n.Health(); !errors.Is(h.Err, pubsub.ErrNameTaken) || h.Connected {
			t.Errorf("the younger node: health %+v", h)
		}
		if err := n.Broadcast(&pubsub.Message{Topic: "t"}); !errors.Is(err, pubsub.ErrNameTaken) {
			t.Errorf("the younger node: Broadcast: %v", err)
		}
		if _, gaps := e.take(); len(gaps) != 1 || !errors.Is(gaps[0].Cause, pubsub.ErrNameTaken) {
			t.Errorf("the younger node: gaps %+v", gaps)
		}
	})
}

// TestOthersNamesakes has two other nodes with one name, of which the younger leaves. The older
// one is there all the time, and nothing of it is missed. One that was started again is gone.
func TestOthersNamesakes(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{Beat: time.Second}, w, func(t *testing.T, n *Node, e *ear) {
		older := (&mate{n: n, w: w, boot: 7, name: "x"}).join()
		younger := (&mate{n: n, w: w, boot: 8, name: "x"}).join()
		if there := n.peers.there(); there != 1 {
			t.Errorf("%d nodes, of which one has taken the place of the other", there)
		}
		older.say(n.control, envelope{kind: kindBeat})
		if there := n.peers.there(); there != 2 {
			t.Errorf("%d nodes, and two of one name have spoken", there)
		}
		younger.say(n.control, envelope{kind: kindBye})
		for range 2 * lateTime / time.Second {
			older.say(n.control, envelope{kind: kindBeat})
			time.Sleep(time.Second)
		}
		if h := n.Health(); len(h.Peers) != 1 || h.Gaps != 0 {
			t.Errorf("the older one is left: health %+v", h)
		}
		// What was on its way when it said goodbye does not bring it back.
		(&mate{n: n, w: w, boot: 9, name: "x"}).join()
		older.say(n.control, envelope{kind: kindBye})
		older.say(n.inbox, envelope{kind: kindBeat})
		if there := n.peers.there(); there != 1 {
			t.Errorf("%d nodes, of which one has said goodbye", there)
		}
	})
}

// lastSync is the number of the last sync that a node has published.
func (w *wire) lastSync(n *Node) (last uint64) {
	w.do(func() {
		for _, o := range w.published {
			if e, err := n.codec.decode(o.Channel, o.Data); err == nil && e.kind == kindSync {
				last = e.about
			}
		}
	})
	return last
}

// TestGapAsksFirst tells of a gap when the other nodes have answered: they may have forgotten
// this one's interest.
func TestGapAsksFirst(t *testing.T) {
	w := &wire{server: "here"}
	inBubble(t, Options{Beat: time.Hour}, w, func(t *testing.T, n *Node, e *ear) {
		far := (&mate{n: n, w: w, boot: 8, name: "far", server: "there"}).join()
		which := func() uint64 { return w.lastSync(n) }
		ready := n.Interest("t")
		synctest.Wait()
		far.say(n.inbox, envelope{kind: kindSynced, about: which()})
		<-ready
		before := which()
		n.interests.gap(errors.New("cut"))
		synctest.Wait()
		if _, gaps := e.take(); len(gaps) != 0 || which() == before {
			t.Errorf("gaps %+v before another node has answered", gaps)
		}
		far.say(n.inbox, envelope{kind: kindSynced, about: which()})
		if _, gaps := e.take(); len(gaps) != 1 {
			t.Errorf("gaps %+v", gaps)
		}
	})
}

// TestLateSync has a node that does not answer a sync in time, and lives.
func TestLateSync(t *testing.T) {
	w := &wire{server: "here"}
	inBubble(t, Options{Beat: time.Hour}, w, func(t *testing.T, n *Node, e *ear) {
		far := (&mate{n: n, w: w, boot: 8, name: "far", server: "there"}).join()
		dead := (&mate{n: n, w: w, boot: 9, name: "dead", server: "there too"}).join()
		which := func() uint64 { return w.lastSync(n) }
		began := time.Now()
		<-n.Interest("t")
		if d := time.Since(began); d != syncTime {
			t.Errorf("waited %v", d)
		}
		// Those that owe an answer are not waited for.
		<-n.Interest("u")
		if d := time.Since(began); d != syncTime {
			t.Errorf("waited %v", d)
		}
		if _, gaps := e.take(); len(gaps) != 0 {
			t.Errorf("gaps %+v, before anybody has answered", gaps)
		}
		// The first answer is for the first topic. It has published meanwhile.
		far.say(n.inbox, envelope{kind: kindSynced, about: which() - 1, serial: 1})
		if _, gaps := e.take(); len(gaps) != 1 || gaps[0].Topic != "t" || gaps[0].Cause != errLate {
			t.Errorf("gaps %+v", gaps)
		}
		far.say(n.inbox, envelope{kind: kindSynced, about: which(), serial: 1})
		if _, gaps := e.take(); len(gaps) != 1 || gaps[0].Topic != "u" {
			t.Errorf("gaps %+v", gaps)
		}
		// It is waited for again, and if it publishes nothing, nothing is missed.
		time.Sleep(floorTime + 1)
		began = time.Now()
		<-n.Interest("v")
		if d := time.Since(began); d != syncTime {
			t.Errorf("waited %v", d)
		}
		far.say(n.inbox, envelope{kind: kindSynced, about: which(), serial: 1})
		if _, gaps := e.take(); len(gaps) != 0 {
			t.Errorf("gaps %+v, though nothing was published", gaps)
		}
		// Who ends owes nothing.
		dead.say(n.control, envelope{kind: kindBye, serial: 5})
		if _, gaps := e.take(); len(gaps) != 0 {
			t.Errorf("gaps %+v, of a node that has ended", gaps)
		}
	})
}

// knocker is a wire whose broker says who listens.
type knocker struct {
	*wire
	listeners func() (int, error)
	others    int // listeners to where all nodes listen, if listeners is nil
}

func (k knocker) Knock(_ context.Context, channel string) (int, error) {
	switch {
	case k.listeners != nil:
		return k.listeners()
	case strings.HasSuffix(channel, ".e"):
		return k.others, nil
	}
	return 0, nil
}

// TestOthersAnswerLate starts a node while the broker says that there are others. It waits
// for them, since it would miss what they publish before they know of it.
func TestOthersAnswerLate(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration // 0: never
		took  time.Duration
	}{
		{"after a while", 3 * time.Second, 3 * time.Second},
		{"never", 0, claimTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{}
				n, err := New(Options{Node: "me", Logger: slog.New(slog.DiscardHandler)}, knocker{wire: w, others: 1})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				result := make(chan error)
				go func() { result <- n.Start(t.Context(), &ear{}) }()
				synctest.Wait()
				if c.after != 0 {
					time.Sleep(c.after)
					(&mate{n: n, w: w, boot: 7, name: "x", server: "s"}).join()
				}
				if err := <-result; err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < c.took || took > c.took+time.Second {
					t.Errorf("started after %v, want %v", took, c.took)
				}
				_ = n.Stop(context.Background())
			})
		})
	}
}

// TestClaim starts a node while the broker says that somebody has its name.
func TestClaim(t *testing.T) {
	started := func(t *testing.T, listeners func() (int, error), meanwhile func(n *Node, w *wire)) (took time.Duration, err error) {
		w := &wire{}
		n, err := New(Options{Node: "me", Logger: slog.New(slog.DiscardHandler)}, knocker{wire: w, listeners: listeners})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		result := make(chan error)
		go func() { result <- n.Start(t.Context(), &ear{}) }()
		synctest.Wait()
		if meanwhile != nil {
			meanwhile(n, w)
		}
		err = <-result
		took = time.Since(began)
		if err == nil {
			_ = n.Stop(context.Background())
		}
		return took, err
	}
	answer := func(after time.Duration) func(*Node, *wire) {
		return func(n *Node, w *wire) {
			time.Sleep(after)
			holder := &mate{n: n, w: w, boot: 7, name: "me"}
			var ask uint64
			w.do(func() {
				for _, o := range w.published {
					if e, err := n.codec.decode(o.Channel, o.Data); err == nil && e.kind == kindHello {
						ask = e.ask
					}
				}
			})
			holder.say(n.inbox, envelope{kind: kindBeat, holds: true, about: ask})
		}
	}
	calls := 0
	for _, c := range []struct {
		name      string
		listeners func() (int, error)
		meanwhile func(*Node, *wire)
		taken     bool
		least     time.Duration
		most      time.Duration
	}{
		{"nobody", func() (int, error) { return 0, nil }, nil, false, 0, 0},
		{"a holder that takes long", func() (int, error) { return 1, nil }, answer(4 * time.Second), true, 4 * time.Second, 5 * time.Second},
		{"one that has died, and the broker notices", func() (int, error) { calls++; return max(0, 2-calls), nil }, nil, false, 0, 100 * time.Millisecond},
		{"one that has died, and the broker does not notice", func() (int, error) { return 1, nil }, nil, false, claimTime, claimTime + time.Second},
		{"nobody knows", func() (int, error) { return 0, ErrUncounted }, nil, false, uncountedTime, uncountedTime + time.Second},
		{"nobody knows, and there is one", func() (int, error) { return 0, ErrUncounted }, answer(500 * time.Millisecond), true, 500 * time.Millisecond, uncountedTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took, err := started(t, c.listeners, c.meanwhile)
				if errors.Is(err, pubsub.ErrNameTaken) != c.taken || took < c.least || took > c.most {
					t.Errorf("%v, after %v; want taken %t, after %v to %v", err, took, c.taken, c.least, c.most)
				}
			})
		})
	}
}

// TestPeersExpire forgets who is not heard of any more.
func TestPeersExpire(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{Beat: time.Second}, w, func(t *testing.T, n *Node, _ *ear) {
		x := (&mate{n: n, w: w, boot: 7, name: "x"}).join()
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
		// It was only cut off, and published meanwhile. That it is back must be proved.
		x.say(n.control, envelope{kind: kindBeat})
		if h := n.Health(); len(h.Peers) != 0 || h.Gaps != 0 {
			t.Errorf("a beat without a proof: %+v", h)
		}
		proof := envelope{kind: kindBeat, about: x.asked()}
		x.say(n.inbox, proof)
		if h := n.Health(); len(h.Peers) != 1 || h.Gaps != 1 {
			t.Errorf("a node that comes back is no gap: %+v", h)
		}
		x.say(n.control, envelope{kind: kindBeat})
		if h := n.Health(); h.Gaps != 1 {
			t.Errorf("it is told more than once: %+v", h)
		}
		// Its proof proves nothing a second time.
		time.Sleep(6 * time.Second)
		for number := range x.number + 2 {
			x.number = number
			x.say(n.inbox, proof)
			x.number = number
			x.say(n.control, envelope{kind: kindBeat})
		}
		if h := n.Health(); len(h.Peers) != 0 || h.Gaps != 1 {
			t.Errorf("what was said before brings it back: %+v", h)
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
