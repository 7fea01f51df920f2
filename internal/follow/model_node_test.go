package follow

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// modelNode is a node of the model. After its death it starts again under the same name.
type modelNode struct {
	model *model
	name  string

	mu        sync.Mutex
	up        bool
	boots     int
	ps        *pubsub.PubSub
	followers *Followers
	adapter   *modelAdapter
	clients   map[*modelConn]struct{}
	stats     Stats // of earlier boots
}

// boot starts the node.
func (n *modelNode) boot() {
	a := &modelAdapter{node: n, interest: make(map[string]bool), fifo: make(map[*modelNode]time.Time)}
	ps, err := pubsub.New(context.Background(), &pubsub.Options{Adapter: a, Linger: 100 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	f := New(&Options{
		PubSub: ps, Source: modelSource{n.model.store},
		Topic: func(string) *Topic { return &Topic{Entries: 40, Bytes: 1 << 20, MaxReplay: modelSize} },
		Check: n.model.check, Linger: 300 * time.Millisecond, CacheBytes: 1 << 20, Book: notice.NewBook(slog.New(slog.DiscardHandler)),
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.boots++
	n.ps, n.followers, n.adapter, n.up = ps, f, a, true
	n.clients = make(map[*modelConn]struct{})
}

// state returns what runs, or nil while the node is dead.
func (n *modelNode) state() (ps *pubsub.PubSub, f *Followers, a *modelAdapter, boot int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.up {
		return nil, nil, nil, n.boots
	}
	return n.ps, n.followers, n.adapter, n.boots
}

// kill ends the node, and cuts its clients.
func (n *modelNode) kill() bool {
	n.mu.Lock()
	if !n.up {
		n.mu.Unlock()
		return false
	}
	n.up = false
	ps, f, clients := n.ps, n.followers, slices.Collect(maps.Keys(n.clients))
	n.mu.Unlock()
	for _, c := range clients {
		c.client.lost(c)
	}
	if err := f.Close(context.Background()); err != nil {
		panic(err)
	}
	_ = ps.Close(context.Background())
	n.mu.Lock()
	n.stats.add(f.Stats())
	n.mu.Unlock()
	return true
}

// crash kills the node for a while.
func (n *modelNode) crash() {
	if !n.kill() {
		return
	}
	n.model.mu.Lock()
	n.model.crash++
	n.model.mu.Unlock()
	n.model.tasks.Go(func() {
		time.Sleep(n.model.between(100*time.Millisecond, time.Second))
		n.boot()
	})
}

// publish appends a message and tells it, unless the node dies between the two.
func (n *modelNode) publish(key int) {
	ps, _, _, boot := n.state()
	if ps == nil {
		return
	}
	var m *pubsub.Message
	source := modelSource{n.model.store}
	for source.call(context.Background(), func() { m = n.model.store.append(key) }) != nil {
	}
	if _, _, _, now := n.state(); now != boot {
		return
	}
	n.model.ack(key)
	if n.model.chance(.01) {
		n.crash()
		return
	}
	_ = ps.Broadcast(n.disguised(m))
}

// disguised returns a message as a node without the chain would see it: it continues whatever the node
// has.
func (n *modelNode) disguised(m *pubsub.Message) *pubsub.Message {
	_, f, _, _ := n.state()
	if !n.model.noChain || f == nil {
		return m
	}
	f.mu.RLock()
	t := f.topics[modelTopic]
	f.mu.RUnlock()
	if t == nil {
		return m
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.head >= m.Place.Offset {
		return m
	}
	changed, place := *m, *m.Place
	place.Prev = t.head
	changed.Place = &place
	return &changed
}

// modelAdapter carries messages between nodes. It loses some, doubles some, and lets some overtake
// others.
type modelAdapter struct {
	node     *modelNode
	receiver pubsub.Receiver
	mu       sync.Mutex
	interest map[string]bool
	fifo     map[*modelNode]time.Time // of the last message to a node
	stopped  bool
}

func (a *modelAdapter) Node() string                                     { return a.node.name }
func (a *modelAdapter) Start(_ context.Context, r pubsub.Receiver) error { a.receiver = r; return nil }
func (a *modelAdapter) Direct(string, *pubsub.Message) error             { return nil }

func (a *modelAdapter) Broadcast(m *pubsub.Message) error {
	model := a.node.model
	for _, o := range model.nodes {
		if o == a.node || model.chance(model.loss) {
			continue
		}
		times := 1
		if model.chance(.02) {
			times = 2
		}
		for range times {
			a.send(o, m)
		}
	}
	return nil
}

// send sends a message to a node, in order but for one in twenty.
func (a *modelAdapter) send(o *modelNode, m *pubsub.Message) {
	model := a.node.model
	now := time.Now()
	at := now.Add(model.between(100*time.Microsecond, 30*time.Millisecond))
	if !model.chance(.05) {
		a.mu.Lock()
		if last := a.fifo[o]; last.After(at) {
			at = last
		}
		a.fifo[o] = at
		a.mu.Unlock()
	}
	_, _, to, boot := o.state()
	if to == nil {
		return
	}
	model.tasks.Go(func() {
		time.Sleep(at.Sub(now))
		if _, _, _, alive := o.state(); alive == boot && to.wants(m.Topic) {
			to.receiver.Receive(o.disguised(m))
		}
	})
}

func (a *modelAdapter) wants(topic string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.interest[topic] && !a.stopped
}

// Interest takes effect after a while.
func (a *modelAdapter) Interest(topic string) <-chan struct{} {
	ready := make(chan struct{})
	d := a.node.model.between(time.Millisecond, 20*time.Millisecond)
	a.node.model.tasks.Go(func() {
		time.Sleep(d)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.interest[topic] = true
		close(ready)
	})
	return ready
}

func (a *modelAdapter) Forget(topic string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.interest[topic] = false
}

func (a *modelAdapter) Health() pubsub.Health {
	h := pubsub.Health{Connected: true}
	if a.node.model.peers {
		for _, o := range a.node.model.nodes {
			if _, _, to, _ := o.state(); o != a.node && to != nil {
				h.Peers = append(h.Peers, o.name)
			}
		}
	}
	return h
}

func (a *modelAdapter) Stop(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	return nil
}
