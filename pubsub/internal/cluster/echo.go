package cluster

import (
	"sync"
	"sync/atomic"
)

// echoes are the messages to itself that a starting node has not received yet, and the first refusal
// of the broker.
type echoes struct {
	waits   atomic.Bool
	mu      sync.Mutex
	missing map[string]bool // channels
	all     chan struct{}   // closed when none is missing
	refused chan error      // gets the first refusal to publish
}

// await begins to wait for a message on each of the channels.
func (e *echoes) await(channels ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.missing = make(map[string]bool)
	for _, c := range channels {
		e.missing[c] = true
	}
	e.all, e.refused = make(chan struct{}), make(chan error, 1)
	e.waits.Store(true)
}

// done ends the wait, and returns the refusal of the broker, if there was one.
func (e *echoes) done() error {
	e.waits.Store(false)
	select {
	case err := <-e.refused:
		return err
	default:
		return nil
	}
}

// heard notes a message of this node.
func (e *echoes) heard(channel string) {
	if !e.waits.Load() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.missing[channel] {
		return
	}
	if delete(e.missing, channel); len(e.missing) == 0 {
		close(e.all)
	}
}

// refuse notes that the broker refuses a message of this node.
func (e *echoes) refuse(cause error) {
	if !e.waits.Load() {
		return
	}
	select {
	case e.refused <- cause:
	default:
	}
}
