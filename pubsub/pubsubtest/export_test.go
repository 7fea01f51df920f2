package pubsubtest

import (
	"runtime"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// Record calls a function for every message, which it must not keep.
func (m *Memory) Record(record func(channel string, data []byte)) { m.record = record }

// NodeWithSecret is Node for nodes that sign their messages.
func (m *Memory) NodeWithSecret(t testing.TB, name string, secret []byte) pubsub.Adapter {
	t.Helper()
	return m.node(t, cluster.Options{Node: name, Secret: secret})
}

// Inject publishes bytes to a channel, as a stranger could.
func (m *Memory) Inject(channel string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	record := m.record
	m.record = nil
	m.publishLocked(cluster.Outgoing{Channel: channel, Data: data})
	m.record = record
	for waits := true; waits; { // wait until nodes have read, since this does not test a flood
		waits = false
		for l := range m.links {
			waits = waits || len(l.queue) > 100
		}
		if waits {
			m.mu.Unlock()
			runtime.Gosched()
			m.mu.Lock()
		}
	}
}
