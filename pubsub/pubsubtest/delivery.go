package pubsubtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// oneNode checks a node without peers: it delivers its own messages once, in the call that publishes
// them, and not again when the broker returns them. Most brokers return a message to its publisher if
// that subscribes to the channel, so an adapter has to recognize its own. A message to the node itself
// is not sent.
func oneNode(s *suite) {
	p := s.node("alone")
	if p.Node() != "alone" {
		s.Errorf("Node is %q, want the name it was made with", p.Node())
	}
	b, sub := s.subscribe(p, "t")
	for _, e := range []string{"1", "2", "3"} {
		s.broadcast(p, "t", e)
	}
	if err := p.DirectBroadcast("alone", &pubsub.Message{Topic: "t", Event: "4"}); err != nil {
		s.Errorf("DirectBroadcast to this node: %v", err)
	}
	p.LocalBroadcast(&pubsub.Message{Topic: "t", Event: "5"})
	s.want("a node gets its own messages once, and at once", b, "1", "2", "3", "4", "5")
	// Only the three broadcasts are sent. They are published in the background, so Sent may be late.
	s.eventually("messages are handed to the broker", func() bool { return p.Health().Sent == 3 })
	h := p.Health()
	if !h.Connected || h.Err != nil || h.Since.IsZero() || len(h.Peers) != 0 || h.Topics != 1 || h.Pending != 0 {
		s.Errorf("health of a connected node without peers: %+v", h)
	}
	sub.Cancel()
	if got := b.Count(); got != 5 {
		s.Errorf("%d messages, want 5: a node's own messages come back from the broker and must not be delivered", got)
	}
}

// twoNodes starts a second node later, and stops it in good order. Neither is a gap for the first.
func twoNodes(s *suite) {
	a := s.node("a")
	early, _ := s.subscribe(a, "t")
	b := s.node("b")
	late, _ := s.subscribe(b, "t")
	s.broadcast(a, "t", "from a")
	// Ready of late is closed, so the message must arrive. Only if b gave up waiting for a on a slow
	// machine may it be missed, and then b reports a gap.
	s.eventually("a node that starts later gets the messages from then on, or reports a gap", func() bool {
		return late.Count()+late.Gaps() > 0
	})
	if late.Count() == 0 {
		s.noGap("a node that starts later misses no message", b.Health())
		return
	}
	s.want("a node that starts later gets the messages from then on", late, "from a")
	s.broadcast(b, "t", "from b")
	s.want("its messages reach the first node", early, "from a", "from b")
	s.eventually("the nodes know each other", func() bool {
		return fmt.Sprint(a.Health().Peers) == "[b]" && fmt.Sprint(b.Health().Peers) == "[a]"
	})
	ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		s.Errorf("Close: %v", err)
	}
	s.eventually("after the end of its peer a node has no peers", func() bool { return len(a.Health().Peers) == 0 })
	s.broadcast(a, "t", "alone")
	s.want("after the end of its peer a node goes on", early, "from a", "from b", "alone")
	s.subscribe(a, "new") // must not wait for b, which has gone
	s.noGap("the end of a node in good order is not a gap for its peers", a.Health())
}

// delivery checks who gets a broadcast: all subscribers of the topic on all nodes, once; and who gets a
// local broadcast: those on its own node.
func delivery(s *suite) {
	a, b, c := s.nodes()
	// Two subscribers on each node show whether an adapter delivers once to the node, or once for each.
	var boxes []*subscribertest.Box
	for _, p := range []*pubsub.PubSub{a, b, c} {
		for range 2 {
			box, _ := s.subscribe(p, "t")
			boxes = append(boxes, box)
		}
	}
	other, _ := s.subscribe(b, "T") // topics are bytes, so case matters
	s.broadcast(a, "t", "from a")
	for _, box := range boxes {
		s.want("every subscriber of every node gets a broadcast once", box, "from a")
	}
	s.broadcast(b, "t", "from b")
	for _, box := range boxes {
		s.want("every subscriber gets broadcasts of every node", box, "from a", "from b")
	}
	a.LocalBroadcast(&pubsub.Message{Topic: "t", Event: "local"})
	s.broadcast(a, "t", "last") // arrives after a local broadcast that was sent to others by mistake
	for i, box := range boxes {
		if i < 2 {
			s.want("a local broadcast reaches its own node", box, "from a", "from b", "local", "last")
		} else {
			s.want("a local broadcast reaches no other node", box, "from a", "from b", "last")
		}
	}
	if n := other.Count(); n != 0 {
		s.Errorf("a subscriber of another topic got %d messages", n)
	}
	m := boxes[5].Messages()[0] // on node c, so it came through the broker
	if m.Topic != "t" || string(m.Payload) != "{}" || m.Binary {
		s.Errorf("a message arrived as %+v", m)
	}
}

// direct checks messages to one node: they arrive there, in order, and nowhere else. A node that does not
// exist may be an error, but need not be.
func direct(s *suite) {
	a, b, c := s.nodes()
	box, _ := s.subscribe(b, "t")
	others, _ := s.subscribe(c, "t")
	local, _ := s.subscribe(a, "t")
	for i := range 100 {
		if err := a.DirectBroadcast("b", &pubsub.Message{Topic: "t", Event: fmt.Sprint(i), Payload: []byte{0, 255}, Binary: true}); err != nil {
			s.Fatalf("DirectBroadcast: %v", err)
		}
	}
	s.eventually("direct messages arrive", func() bool { return box.Count() == 100 })
	for i, e := range box.Events() {
		if e != fmt.Sprint(i) {
			s.Fatalf("direct message %d is %q: they must keep their order", i, e)
		}
	}
	// An adapter need not know which nodes exist, so an error is as good as none.
	if err := a.DirectBroadcast("nobody", &pubsub.Message{Topic: "t", Event: "x"}); err != nil {
		s.Logf("DirectBroadcast to a node that does not exist: %v", err)
	}
	s.broadcast(a, "t", "all")
	s.want("a direct message reaches only its node", others, "all")
	s.want("a direct message does not reach the sender", local, "all")
}

// exclusion checks BroadcastFrom: all subscribers on all nodes get the message, except the sender. The
// PubSub skips the sender, but an adapter that returns messages to their node would reach it again.
func exclusion(s *suite) {
	a, b, _ := s.nodes()
	sender, _ := s.subscribe(a, "t")
	beside, _ := s.subscribe(a, "t")
	far, _ := s.subscribe(b, "t")
	if err := a.BroadcastFrom(sender, &pubsub.Message{Topic: "t", Event: "1"}); err != nil {
		s.Errorf("BroadcastFrom: %v", err)
	}
	s.want("BroadcastFrom reaches the other subscribers on the sender's node", beside, "1")
	s.want("BroadcastFrom reaches other nodes", far, "1")
	s.broadcast(b, "t", "2")
	// The second message shows that the first would have come back by now.
	s.want("BroadcastFrom does not reach the sender, not even through the broker", sender, "2")
}

// publishers is the number of publishers in the test of order. It is no multiple of the number of nodes,
// so the nodes publish at different rates.
const publishers = 10

// order sends many messages from all nodes to topics that all nodes want: none is lost, none arrives
// twice, and those of a publisher to a topic arrive in order. Cluster.Messages is their number, over all
// publishers.
func order(s *suite) {
	a, b, c := s.nodes()
	nodes := []*pubsub.PubSub{a, b, c}
	topics := []string{"one", "two", "three"}
	each := s.Messages / publishers
	total := int64(each * publishers)

	var received [3]atomic.Int64
	var gaps atomic.Int64
	for i, p := range nodes {
		for _, topic := range topics {
			t := &sequence{count: &received[i], gaps: &gaps, where: fmt.Sprintf("node %s, topic %s", p.Node(), topic)}
			s.Cleanup(func() { t.report(s) })
			began := time.Now()
			s.await(p.Subscribe(topic, t), topic)
			s.since(began)
		}
	}
	slowest := func() int64 { return min(received[0].Load(), received[1].Load(), received[2].Load()) }
	var sent atomic.Int64
	var all sync.WaitGroup
	var failed atomic.Int64
	for from := range publishers {
		p := nodes[from%len(nodes)]
		all.Go(func() {
			next := [3]int{} // number of the next message, by topic
			for i := range each {
				topic := (i + from) % len(topics)
				m := &pubsub.Message{Topic: topics[topic], Event: "n", Payload: numbered{from, next[topic]}.payload()}
				next[topic]++
				// Wait for the slowest node: one that falls far behind misses messages and
				// reports a gap, which is correct, but would leave nothing to check.
				for sent.Load()-slowest() > 20_000 && failed.Load()+gaps.Load() == 0 {
					time.Sleep(100 * time.Microsecond)
				}
				if gaps.Load() > 0 && s.late.Load() {
					return // some messages were missed, so the test cannot pass in this run
				}
				sent.Add(1)
				if err := p.Broadcast(m); err != nil {
					failed.Add(1)
					s.Errorf("Broadcast: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	// The limit is on the time without progress, so that a slow broker may take as long as it needs.
	progress, since := slowest(), time.Now()
	// Messages that a node has missed on a slow machine never come.
	missed := func() bool { return s.late.Load() && gaps.Load() > 0 && time.Since(since) > lateTime }
	for slowest() < total && time.Since(since) < waittest.Patience && !missed() {
		time.Sleep(time.Millisecond)
		if now := slowest(); now != progress {
			progress, since = now, time.Now()
		}
	}
	if s.late.Load() && gaps.Load() > 0 && slowest() < total {
		s.doubtful.Store(true)
		s.Skipf("the machine was slow, and a node reported a gap: it got %d of %d messages", slowest(), total)
	}
	for i, p := range nodes {
		if n := received[i].Load(); n != total {
			s.Errorf("node %s got %d of %d messages; health %+v", p.Node(), n, total, p.Health())
		}
	}
}

// sequence is a subscriber that checks the numbers of the messages of one topic: those of each publisher
// must come in order, each once.
type sequence struct {
	count *atomic.Int64 // of messages, on its node
	gaps  *atomic.Int64 // on all nodes
	where string        // node and topic, for the failure

	mu    sync.Mutex
	next  [publishers]int // expected number, by publisher
	fault string          // the first wrong message
}

// Deliver implements pubsub.Subscriber.
func (t *sequence) Deliver(d *pubsub.Dispatch) {
	t.count.Add(1)
	n, err := numberedOf(d.Message)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fault != "" {
		return
	}
	switch {
	case err != nil || n.From < 0 || n.From >= publishers:
		t.fault = fmt.Sprintf("got %q", d.Payload)
	case n.N != t.next[n.From]:
		t.fault = fmt.Sprintf("got message %d of publisher %d, want %d", n.N, n.From, t.next[n.From])
	default:
		t.next[n.From]++
	}
}

// Gap implements pubsub.GapSubscriber.
func (t *sequence) Gap(string) { t.gaps.Add(1) }

// report fails the test if a message was wrong. It is called at the end of the test, since Deliver runs in
// goroutines of the adapter.
func (t *sequence) report(s *suite) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fault != "" && !s.doubtful.Load() {
		s.Errorf("%s: %s; messages must arrive once, in the order in which their publisher sent them", t.where, t.fault)
	}
}

// payloads checks that payloads up to MaxPayload, with any bytes, arrive unchanged, with their event and
// whether they are binary. The events have spaces, letters beyond ASCII and a zero byte, since an event is
// any text.
func payloads(s *suite) {
	a, b, _ := s.nodes()
	box, _ := s.subscribe(b, "t")
	r := rand.New(rand.NewPCG(1, 2)) // fixed, so that a failure can be repeated
	var sent []*pubsub.Message
	for _, size := range []int{0, 1, 100, 4 << 10, 100 << 10, s.MaxPayload} {
		for _, binary := range []bool{false, true} {
			payload := make([]byte, size)
			for i := range payload {
				payload[i] = byte(r.Uint32())
			}
			m := &pubsub.Message{Topic: "t", Event: fmt.Sprintf("%d %v ümläut\x00", size, binary), Payload: payload, Binary: binary}
			sent = append(sent, m)
			if err := a.Broadcast(m); err != nil {
				s.Errorf("a payload of %d bytes: %v", size, err)
			}
		}
	}
	s.arrive("all payloads arrive", box, func() bool { return box.Count() == len(sent) })
	for i, m := range box.Messages() {
		want := sent[i]
		if m.Event != want.Event || m.Binary != want.Binary || !bytes.Equal(m.Payload, want.Payload) {
			s.Errorf("message %q: payload of %d bytes, binary %v, did not arrive as it was sent", want.Event, len(want.Payload), want.Binary)
		}
	}
}

// places checks that the Place of a message arrives unchanged, and that a message without one arrives
// without, published to all nodes and to one.
func places(s *suite) {
	a, b, _ := s.nodes()
	box, _ := s.subscribe(b, "t")
	var sent []*pubsub.Message
	for _, place := range []*pubsub.Place{
		{Epoch: "e7k2m9x4", Offset: 87901, Prev: 87544, From: "18446744073709551615/18446744073709551615"},
		nil,
		{}, // not nil
		{Epoch: "e7k2m9x4", Offset: 1},
		{Epoch: "\"ümläu", Offset: math.MaxUint64, Prev: math.MaxUint64 - 1, From: strings.Repeat("f", 64)},
		nil,
	} {
		for _, binary := range []bool{false, true} {
			for _, send := range []func(m *pubsub.Message) error{a.Broadcast, func(m *pubsub.Message) error { return a.DirectBroadcast("b", m) }} {
				m := &pubsub.Message{Topic: "t", Event: fmt.Sprint(len(sent)), Payload: []byte("{}"), Binary: binary, Place: place}
				sent = append(sent, m)
				if err := send(m); err != nil {
					s.Errorf("a message with the place %+v: %v", place, err)
				}
				// Messages to all nodes and to one need not keep their order, so the next one waits.
				s.arrive("a message with a place arrives", box, func() bool { return box.Count() == len(sent) })
			}
		}
	}
	for i, m := range box.Messages() {
		want := sent[i]
		switch {
		case m.Event != want.Event || m.Binary != want.Binary || string(m.Payload) != "{}":
			s.Errorf("message %s did not arrive as it was sent", want.Event)
		case want.Place == nil && m.Place != nil:
			s.Errorf("message %s has the place %+v: a message that was published without one arrives without", want.Event, *m.Place)
		case want.Place != nil && m.Place == nil:
			s.Errorf("message %s has lost its place: package history needs all fields of a message at other nodes", want.Event)
		case want.Place != nil && *m.Place != *want.Place:
			s.Errorf("message %s arrived with the place %+v, want %+v", want.Event, *m.Place, *want.Place)
		}
	}
}

// tooLarge checks a message that the broker does not accept: the caller gets ErrTooLarge, the subscribers
// of its own node get the message, and the connection stays. An adapter checks the size itself, since
// brokers such as NATS close the connection of a client that sends too much.
func tooLarge(s *suite) {
	a, b, _ := s.nodes()
	local, _ := s.subscribe(a, "t")
	far, _ := s.subscribe(b, "t")
	before := a.Health()
	huge := &pubsub.Message{Topic: "t", Event: "huge", Payload: make([]byte, s.TooLarge)}
	if err := a.Broadcast(huge); !errors.Is(err, pubsub.ErrTooLarge) {
		s.Errorf("a payload of %d bytes: %v, want ErrTooLarge", s.TooLarge, err)
	}
	if err := a.DirectBroadcast("b", huge); !errors.Is(err, pubsub.ErrTooLarge) {
		s.Errorf("DirectBroadcast of a payload of %d bytes: %v, want ErrTooLarge", s.TooLarge, err)
	}
	s.broadcast(a, "t", "next")
	s.want("a message that is too large reaches its own node", local, "huge", "next")
	s.want("the message after one that is too large arrives", far, "next")
	h := a.Health()
	if !h.Connected || h.Since != before.Since { // a new Since would mean a new connection
		s.Errorf("the connection was lost over a message that is too large: %+v", h)
	}
	h.Gaps -= before.Gaps
	s.noGap("a message that is too large is not a gap", h)
}
