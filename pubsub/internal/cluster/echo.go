package cluster

import (
	"sync"
	"sync/atomic"
)

// echoes is which of its own messages a node that starts has not heard yet, and what the
// broker refuses meanwhile.
type echoes struct {
	waits   atomic.Bool
	mu      sync.Mutex
	missing map[string]bool // by channel
	all     chan struct{}   // closed when none is missing
	refused chan error      // the first of what the broker does not take
}

// await waits for messages on channels.
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

// done ends the start. It returns what the broker has refused.
func (e *echoes) done() error {
	e.waits.Store(false)
	select {
	case err := <-e.refused:
		return err
	default:
		return nil
	}
}

// heard notes a message of this node's own.
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

// refuse notes that the broker does not take what this node says.
func (e *echoes) refuse(cause error) {
	if !e.waits.Load() {
		return
	}
	select {
	case e.refused <- cause:
	default:
	}
}
