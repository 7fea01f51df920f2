// Package replay holds a test of adapters: a stranger on the broker, without the secret,
// records all that nodes send each other, and publishes it again.
package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

// Secret is what the nodes share.
var Secret = []byte("the nodes of a cluster share this")

// Tape holds what was recorded. The zero value is empty.
type Tape struct {
	mu     sync.Mutex
	list   []sent
	paused bool
}

type sent struct {
	channel string
	data    []byte
}

// Add records a message.
func (t *Tape) Add(channel string, data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.paused {
		t.list = append(t.list, sent{channel, slices.Clone(data)})
	}
}

// pause stops the recording, or lets it go on. Nodes answer what is published again, so
// that a tape that ran meanwhile would be longer each time.
func (t *Tape) pause(paused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused = paused
}

func (t *Tape) copy() []sent {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.list)
}

// A Witness is an Adapter, and counts by topic the messages that it says were missed.
type Witness struct {
	pubsub.Adapter
	pubsub.Receiver
	mu     sync.Mutex
	missed map[string]int64
}

// Start implements pubsub.Adapter.
func (w *Witness) Start(ctx context.Context, r pubsub.Receiver) error {
	w.Receiver = r
	return w.Adapter.Start(ctx, w)
}

// Gap implements pubsub.Receiver.
func (w *Witness) Gap(g pubsub.Gap) {
	w.mu.Lock()
	if w.missed == nil {
		w.missed = make(map[string]int64)
	}
	w.missed[g.Topic] += int64(g.Missed)
	w.mu.Unlock()
	w.Receiver.Gap(g)
}

// Missed is how many messages were missed, by topic.
func (w *Witness) Missed() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.missed)
}

// elsewhere counts what was missed on topics that have no box: those of trackers, which talk
// while other nodes start. A node whose interest has not got to another one yet may get a
// message of that one from the stranger, then not get the next, and then get those that follow.
// It counts that as missed when the other one is late to answer, or has a server in common.
func (w *Witness) elsewhere(boxes map[string]*subscribertest.Box) (missed int64) {
	for topic, n := range w.Missed() {
		if boxes[topic] == nil {
			missed += n
		}
	}
	return missed
}

// node is one boot of one node.
type node struct {
	*pubsub.PubSub
	witness  *Witness
	presence *presence.Presence[struct{}]
	boxes    map[string]*subscribertest.Box // by topic
	late     bool                           // its start or a subscription took longer than lateTime
}

// lateTime is less than what an adapter waits for other nodes before it tells of a gap.
const lateTime = 500 * time.Millisecond

// since notes when what began then took so long that an adapter may tell of a gap.
func (n *node) since(began time.Time) { n.late = n.late || time.Since(began) > lateTime }

// anyLate reports whether one of the nodes was late. Then each may have been told of a gap, and
// may have missed what was said.
func anyLate(nodes []*node) bool {
	return slices.ContainsFunc(nodes, func(n *node) bool { return n.late })
}

var (
	names  = []string{"a", "b", "c"}
	topics = []string{"room:1", "room:2", "phx:disconnect"}
)

func boot(t *testing.T, adapter func(t testing.TB, name string) pubsub.Adapter, name string) *node {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
	defer cancel()
	w := &Witness{Adapter: adapter(t, name)}
	ps, err := pubsub.New(ctx, &pubsub.Options{Adapter: w, Linger: time.Millisecond})
	if err != nil {
		t.Fatalf("node %s does not start: %v", name, err)
	}
	p, err := presence.New(ctx, ps, &presence.Options[struct{}]{Timing: presence.Fast()})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{PubSub: ps, witness: w, presence: p, boxes: make(map[string]*subscribertest.Box)}
	for _, topic := range topics {
		n.subscribe(t, topic)
	}
	n.since(began)
	return n
}

func (n *node) subscribe(t *testing.T, topic string) *pubsub.Subscription {
	t.Helper()
	defer n.since(time.Now())
	b := &subscribertest.Box{}
	n.boxes[topic] = b
	sub := n.Subscribe(topic, b)
	if ready := sub.Ready(); ready != nil {
		waittest.Next(t, "interest is confirmed", ready)
	}
	return sub
}

func (n *node) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
	defer cancel()
	if err := n.presence.Close(); err != nil {
		t.Error(err)
	}
	if err := n.Close(ctx); err != nil {
		t.Error(err)
	}
}

// talk has every node say something to all, and to each of the others, and waits until it
// has come. When a node was late, who was told of a gap may not get all: one gap may stand for
// several messages.
func talk(t *testing.T, nodes []*node, what string) {
	t.Helper()
	for i, n := range nodes {
		for _, topic := range topics {
			for turn := range 3 {
				m := &pubsub.Message{Topic: topic, Event: fmt.Sprint(what, " ", names[i], " ", turn), Payload: []byte("{}")}
				if err := n.Broadcast(m); err != nil {
					t.Error(err)
				}
			}
			for j, name := range names {
				m := &pubsub.Message{Topic: topic, Event: fmt.Sprint(what, " ", names[i], " to ", names[j]), Payload: []byte("{}")}
				if err := n.DirectBroadcast(name, m); err != nil {
					t.Error(err)
				}
			}
		}
	}
	late := anyLate(nodes)
	for _, n := range nodes {
		for _, b := range n.boxes {
			if !waittest.Within(waittest.Patience, func() bool { return b.Count() >= 4*len(nodes) || late && b.Gaps() > 0 }) {
				t.Fatalf("not all that was said has come: %q, %d gaps, %+v", b.Events(), b.Gaps(), n.Health())
			}
		}
	}
}

// Run has three nodes start and end three times. While the third start runs, and after it,
// all that was recorded is published again. Others are the names of nodes that are there
// all the time.
func Run(t *testing.T, adapter func(t testing.TB, name string) pubsub.Adapter, tape *Tape, publish func(channel string, data []byte), others ...string) {
	var first atomic.Pointer[node] // of those that have started last
	start := func() (nodes []*node) {
		for _, name := range names {
			nodes = append(nodes, boot(t, adapter, name))
			first.Store(nodes[0])
		}
		return nodes
	}
	for round := range 2 {
		nodes := start()
		if _, err := nodes[2].presence.NewOwner().Track("room:1", "admin", struct{}{}); err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes {
			waittest.Until(t, "a user is present on all nodes", func() bool { return len(n.presence.List("room:1")) == 1 })
		}
		talk(t, nodes, fmt.Sprint("boot ", round))
		for _, n := range nodes {
			n.close(t)
		}
	}
	replay := func(list []sent) {
		for _, m := range list {
			publish(m.channel, m.data)
		}
	}
	again := func() {
		tape.pause(true)
		defer tape.pause(false)
		for range 3 {
			replay(tape.copy())
		}
	}
	// Nodes start though all that they said before is said again the whole time, and the
	// first of what they say now. It is said at the pace of the first node, once that has started:
	// what waits for a node for half a minute it may take for old.
	most := 2 * len(tape.copy())
	first.Store(nil)
	var over atomic.Bool
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for !over.Load() {
			n, before := first.Load(), int64(0)
			if n != nil {
				before = n.Health().Discarded
			}
			list := tape.copy()
			replay(list[:min(len(list), most)])
			if n != nil {
				waittest.Within(waittest.Patience, func() bool { return over.Load() || n.Health().Discarded > before })
			}
		}
	}()
	stop := func() {
		over.Store(true)
		<-stopped
	}
	defer stop() // when a test ends early
	nodes := start()
	talk(t, nodes, "boot 2")
	stop()

	again()
	// Interest is given up, and taken again.
	late := nodes[1].subscribe(t, "late")
	if err := nodes[0].Broadcast(&pubsub.Message{Topic: "late", Event: "once"}); err != nil {
		t.Error(err)
	}
	old := nodes[1].boxes["late"]
	old.Want(t, "a message comes", "once")
	late.Cancel()
	interested := nodes[0].Health().Topics
	waittest.Until(t, "interest is given up", func() bool { return nodes[1].Health().Topics <= interested })
	nodes[1].subscribe(t, "late")
	again()
	// What is published after the recording comes after it.
	for _, n := range nodes {
		n.subscribe(t, "end")
	}
	for _, from := range nodes {
		if err := from.Broadcast(&pubsub.Message{Topic: "end", Event: "end"}); err != nil {
			t.Error(err)
		}
		if err := from.Broadcast(&pubsub.Message{Topic: "late", Event: "end"}); err != nil {
			t.Error(err)
		}
	}
	// On a slow machine a node answers another one late, which is told as a gap: something may
	// have been missed.
	doubtful := anyLate(nodes)
	for i, n := range nodes {
		waittest.Until(t, "messages come after the recording", func() bool { return n.boxes["end"].Count() == 3 })
		for topic, b := range n.boxes {
			events, gaps := b.Events(), b.Gaps()
			slices.Sort(events)
			want, once := 4*len(nodes), len(slices.Compact(slices.Clone(events)))
			if missed := doubtful && gaps > 0 && once < want; slices.Contains(topics, topic) && (len(events) != once || once != want && !missed) {
				t.Errorf("node %s, topic %s: %q was delivered and %d gaps told, want %d messages, each once", names[i], topic, events, gaps, want)
			}
			for _, e := range events {
				if e != "end" && e[:6] != "boot 2" {
					t.Errorf("node %s, topic %s: an old message was delivered: %s", names[i], topic, e)
				}
			}
			if gaps != 0 && !doubtful {
				t.Errorf("node %s, topic %s was told of %d gaps", names[i], topic, gaps)
			}
		}
		var h pubsub.Health
		var elsewhere int64
		waittest.Within(waittest.Patience, func() bool { // what is counted is told a moment later
			h, elsewhere = n.Health(), n.witness.elsewhere(n.boxes)
			return h.Missed == elsewhere
		})
		if h.Err != nil || h.Gaps+h.Missed != 0 && !doubtful || h.Missed != elsewhere || h.Conflicts != 0 || len(h.Peers) != len(names)-1+len(others) {
			t.Errorf("node %s, missed by topic: %v; %+v", names[i], n.witness.Missed(), h)
		} else if elsewhere != 0 {
			t.Logf("node %s, missed by topic: %v; %+v", names[i], n.witness.Missed(), h)
		}
		if list := n.presence.List("room:1"); len(list) != 0 {
			t.Errorf("node %s: somebody who left long ago is present: %v", names[i], list)
		}
	}
	for _, n := range nodes {
		n.close(t)
	}
}
