package bennu

import (
	"context"
	"slices"
	"sync"
)

// socketList is the connections of an endpoint.
type socketList struct {
	mu     sync.Mutex
	list   []*Socket
	closed bool
	empty  chan struct{} // made by who waits, closed when the list is empty
}

// add returns how many there are now, and false once the list is closed; the socket is
// in it all the same, so that its end is waited for.
func (l *socketList) add(s *Socket) (n int, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.index = len(l.list)
	l.list = append(l.list, s)
	return len(l.list), !l.closed
}

func (l *socketList) remove(s *Socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.list) - 1
	l.list[s.index] = l.list[last]
	l.list[s.index].index = s.index
	l.list[last] = nil
	l.list = l.list[:last]
	if last == 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
}

// wait waits for a moment without sockets, or for ctx and returns its cause.
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

// close makes add refuse, and returns who is there.
func (l *socketList) close() []*Socket {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return slices.Clone(l.list)
}
