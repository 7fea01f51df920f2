package cluster

import (
	"context"
	"sync"
	"time"
)

// state says whether the broker is connected.
type state struct {
	mu      sync.Mutex
	isUp    bool
	since   time.Time
	cause   error
	changed chan struct{} // closed and replaced at each change
}

func (s *state) init() { s.changed = make(chan struct{}) }

func (s *state) set(up bool, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isUp != up || s.since.IsZero() {
		s.since = time.Now()
	}
	s.isUp, s.cause = up, cause
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *state) up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isUp
}

func (s *state) get() (up bool, since time.Time, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isUp, s.since, s.cause
}

// watch returns whether the broker is connected, and a channel that is closed at the next change.
func (s *state) watch() (up bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isUp, s.changed
}

// change returns a channel that is closed at the next change.
func (s *state) change() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// awaitUp waits until the broker is connected. It returns false if ctx has ended.
func (n *Node) awaitUp(ctx context.Context) bool {
	s := &n.state
	for {
		s.mu.Lock()
		up, changed := s.isUp, s.changed
		s.mu.Unlock()
		if up || ctx.Err() != nil {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// retryPause is the time between two attempts if the state has not changed: the link may not have
// noticed a loss yet.
const retryPause = 20 * time.Millisecond

// pause waits for a change, or for retryPause.
func (n *Node) pause(ctx context.Context) {
	changed := n.state.change()
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}
