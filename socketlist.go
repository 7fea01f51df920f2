package bennu

import (
	"context"
	"slices"
	"sync"
)

// socketList is the list of open connections of an endpoint. Its methods may be called from any
// goroutine.
type socketList struct {
	mu     sync.Mutex
	list   []*Socket
	closed bool          // close was called; add reports false from then on
	empty  chan struct{} // made by wait, closed when the list is empty
}

// add adds a socket and returns the new length. open is false once close was called; the socket is
// added in any case, so that wait waits for its end.
func (l *socketList) add(s *Socket) (n int, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.index = len(l.list)
	l.list = append(l.list, s)
	return len(l.list), !l.closed
}

// remove removes a socket. The last one takes its index.
func (l *socketList) remove(s *Socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.list) - 1
	// The last socket moves into the gap, so that removing takes the same time however many there
	// are.
	l.list[s.index] = l.list[last]
	l.list[s.index].index = s.index
	l.list[last] = nil
	l.list = l.list[:last]
	if last == 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
}

// wait waits until the list is empty, or until ctx ends: then it returns its cause.
func (l *socketList) wait(ctx context.Context) error {
	l.mu.Lock()
	if len(l.list) == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.empty == nil {
		l.empty = make(chan struct{})
	}
	empty := l.empty
	l.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *socketList) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list)
}

func (l *socketList) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// close makes add report false, and returns a copy of the list.
func (l *socketList) close() []*Socket {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return slices.Clone(l.list)
}
