package pubsubtest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// Memory is a broker in the process. As with other brokers, a node gets only the topics that it wants,
// the broker can be stopped and started again, and a node that reads too slowly misses messages and
// reports a gap. All methods may be called from any goroutine. The zero value is ready to use.
//
// Messages of other nodes are delivered in a goroutine of each node, in the order in which they were
// published. The goroutine ends when the node is stopped. Nothing listens on a network.
type Memory struct {
	mu     sync.Mutex                        // guards the fields below and those of links
	links  map[*memoryLink]bool              // of running nodes
	away   bool                              // Break was called
	record func(channel string, data []byte) // called for each published message; may be nil
}

// memoryQueue bounds the messages that wait for a node, in bytes. It is large, so that nodes report gaps
// only in tests that block one for long.
const memoryQueue = 64 << 20

// Node makes an adapter for a node, without starting it. The name must be unique among the running nodes
// of m; see pubsub.ErrNameTaken. If the name is not valid, the test ends.
func (m *Memory) Node(t testing.TB, name string) pubsub.Adapter {
	t.Helper()
	return m.node(t, cluster.Options{Node: name})
}

// node makes an adapter with options of package cluster. Its logs are discarded.
func (m *Memory) node(t testing.TB, o cluster.Options) pubsub.Adapter {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	l := &memoryLink{broker: m, wants: make(map[string]bool)}
	l.change.L = &m.mu
	n, err := cluster.New(o, l)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Break stops the broker until mend is called. Messages that wait in the broker are lost; those that nodes
// publish wait in the nodes. Nodes do not start without the broker. When it is back, each node reports a gap
// for all its topics.
func (m *Memory) Break() (mend func()) {
	m.set(true)
	return func() { m.set(false) }
}

// set stops or starts the broker, and reports that to the nodes without holding the lock.
func (m *Memory) set(away bool) {
	m.mu.Lock()
	m.away = away
	links := make([]*memoryLink, 0, len(m.links))
	for l := range m.links {
		links = append(links, l)
		if away {
			l.queue, l.bytes = nil, 0
		}
	}
	m.mu.Unlock()
	for _, l := range links {
		if away {
			l.events.Down(errMemoryAway)
		} else {
			l.events.Up()
		}
	}
}

// Causes that the broker gives to nodes, for Health.Err and gaps.
var (
	errMemoryAway = errors.New("the memory broker is away")
	errMemorySlow = errors.New("the node reads too slowly, so messages for it were dropped")
)

// Garbage publishes data to the nodes that want a topic, as a stranger with access to the broker
// could. Nodes drop it and count it in pubsub.Health.Garbage.
func (m *Memory) Garbage(topic string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.publishLocked(cluster.Outgoing{Channel: cluster.TopicChannel(cluster.DefaultPrefix, topic), Data: data})
}

// publishLocked queues a message for the links that want its channel, that of its publisher included. Nodes
// drop their own messages.
func (m *Memory) publishLocked(o cluster.Outgoing) {
	if m.record != nil {
		m.record(o.Channel, o.Data)
	}
	for l := range m.links {
		if !l.wants[o.Channel] {
			continue
		}
		// A node that reads too slowly loses all messages that wait for it, and read reports that.
		if l.bytes+len(o.Data) > memoryQueue {
			l.queue, l.bytes, l.dropped = nil, 0, true
		}
		// A copy: each node may keep the data and the publisher may reuse its buffer.
		l.queue = append(l.queue, cluster.Outgoing{Channel: o.Channel, Data: append([]byte(nil), o.Data...)})
		l.bytes += len(o.Data)
		l.change.Signal()
	}
}

// memoryLink is the connection of a node to the broker. The lock of the broker guards it.
type memoryLink struct {
	broker  *Memory
	events  cluster.Events     // of the node
	wants   map[string]bool    // channels
	queue   []cluster.Outgoing // for the node
	bytes   int                // in queue
	dropped bool               // messages were dropped since read has looked
	closed  bool
	change  sync.Cond      // signals changes of queue and closed to read
	reader  sync.WaitGroup // the goroutine of read
}

// Open implements cluster.Link. It fails while the broker is stopped.
func (l *memoryLink) Open(_ context.Context, e cluster.Events) error {
	m := l.broker
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errMemoryAway
	}
	l.events = e
	if m.links == nil {
		m.links = make(map[*memoryLink]bool)
	}
	m.links[l] = true
	l.reader.Go(l.read)
	return nil
}

// read is the goroutine that passes queued messages to the node, until the link is closed. It does not
// hold the lock while the node takes them, which may block.
func (l *memoryLink) read() {
	m := l.broker
	for {
		m.mu.Lock()
		for len(l.queue) == 0 && !l.closed {
			l.change.Wait()
		}
		batch, dropped := l.queue, l.dropped
		l.queue, l.bytes, l.dropped = nil, 0, false
		closed := l.closed
		m.mu.Unlock()
		if closed {
			return
		}
		if dropped {
			l.events.Dropped(errMemorySlow)
		}
		for _, o := range batch {
			l.events.Message(o.Channel, o.Data)
		}
	}
}

// Subscribe implements cluster.Link. While the broker is stopped the subscriptions are kept but not
// confirmed, as by a client library that subscribes again by itself.
func (l *memoryLink) Subscribe(_ context.Context, channels []string) error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	for _, c := range channels {
		l.wants[c] = true
	}
	if l.broker.away {
		return errMemoryAway
	}
	return nil
}

// Unsubscribe implements cluster.Link.
func (l *memoryLink) Unsubscribe(channels []string) error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	for _, c := range channels {
		delete(l.wants, c)
	}
	return nil
}

// Publish implements cluster.Link. The broker accepts all messages, or none while it is stopped.
func (l *memoryLink) Publish(_ context.Context, messages []cluster.Outgoing) (taken int, err error) {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	if l.broker.away {
		return 0, cluster.ErrAway
	}
	for _, o := range messages {
		l.broker.publishLocked(o)
	}
	return len(messages), nil
}

// Knock implements cluster.Knocker. It counts the links that want the channel.
func (l *memoryLink) Knock(_ context.Context, channel string) (listeners int, err error) {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	if l.broker.away {
		return 0, cluster.ErrAway
	}
	for other := range l.broker.links {
		if other.wants[channel] {
			listeners++
		}
	}
	return listeners, nil
}

// MaxPayload implements cluster.Link. The broker could take any size; this one is usual for brokers.
func (l *memoryLink) MaxPayload() int { return 1 << 20 }

// Server implements cluster.Link. There is one server, so subscriptions take effect for all at once.
func (l *memoryLink) Server() string { return "" }

// Reset implements cluster.Link. There is no connection that could be made anew, and the broker loses no
// message of a node to itself.
func (l *memoryLink) Reset() {}

// Close implements cluster.Link. Messages in the queue are dropped.
func (l *memoryLink) Close() {
	l.broker.mu.Lock()
	delete(l.broker.links, l)
	l.closed = true
	l.change.Broadcast()
	l.broker.mu.Unlock()
	l.reader.Wait()
}
