package longpoll

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// budget bounds the bytes that a server holds for its requests: of all together, of each address
// and of each session. A request that finds no room waits. When room is given back, every request
// that waits and fits gets it, so a small request does not wait behind a large one.
type budget struct {
	most int // bound of all together; set before the first request

	mu        sync.Mutex // guards the fields below, and the shares' bytes, asks and given
	bytes     int
	addresses map[string]int
	sessions  map[id]int
	waiting   list.List // of *share, the earliest first
}

// share is the part of a budget that one request has. It may be used by one goroutine at a time.
// It begins empty. The bytes that it takes must be given back with release or releaseAll.
type share struct {
	budget  *budget
	session id
	addr    string
	// The bounds of the session and the address; noLimit for none.
	sessionMost, addrMost int

	bytes int
	asks  int           // bytes that it waits for
	given chan struct{} // closed when it has them
}

// take adds n bytes to the share. It waits for room until span is over, ctx ends or done is closed.
// It returns "" when it has the bytes, and otherwise the name of the bound that is reached:
// "session", "address" or "node". It does not wait for more bytes than a bound allows at all.
func (s *share) take(ctx context.Context, done <-chan struct{}, n int, span time.Duration) (bound string) {
	if n == 0 {
		return ""
	}
	b := s.budget
	b.mu.Lock()
	if bound = s.over(n); bound == "" {
		s.add(n)
	}
	if bound == "" || span <= 0 || n > min(b.most, s.addrMost, s.sessionMost) {
		b.mu.Unlock()
		return bound
	}
	s.asks, s.given = n, make(chan struct{})
	place := b.waiting.PushBack(s)
	b.mu.Unlock()

	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-s.given:
		return ""
	case <-timer.C:
	case <-ctx.Done():
	case <-done:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-s.given: // between the end of the wait and the lock
		return ""
	default:
	}
	b.waiting.Remove(place)
	return bound
}

// release gives n bytes back, to requests that wait for them.
func (s *share) release(n int) {
	if n == 0 {
		return
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	s.add(-n)
	// All that wait are looked at, not only the first: a bound of one session or address may stop
	// the first.
	for e := b.waiting.Front(); e != nil; {
		next := e.Next()
		if w := e.Value.(*share); w.over(w.asks) == "" {
			b.waiting.Remove(e)
			w.add(w.asks)
			close(w.given)
		}
		e = next
	}
}

// releaseAll gives all bytes back.
func (s *share) releaseAll() { s.release(s.bytes) }

// over returns the name of the bound that n more bytes would exceed, or "". The budget is locked.
func (s *share) over(n int) string {
	b := s.budget
	switch {
	case s.sessionMost != noLimit && n > s.sessionMost-b.sessions[s.session]:
		return "session"
	case s.addrMost != noLimit && n > s.addrMost-b.addresses[s.addr]:
		return "address"
	case b.most != noLimit && n > b.most-b.bytes:
		return "node"
	}
	return ""
}

// noRoom returns the error for a bound that over has named.
func (s *share) noRoom(bound string) *noRoomError {
	limit := s.budget.most
	switch bound {
	case "session":
		limit = s.sessionMost
	case "address":
		limit = s.addrMost
	}
	return &noRoomError{bound, limit}
}

// add counts n bytes, which may be negative. The budget is locked.
func (s *share) add(n int) {
	b := s.budget
	s.bytes += n
	b.bytes += n
	if s.sessionMost != noLimit {
		count(&b.sessions, s.session, n)
	}
	if s.addrMost != noLimit {
		count(&b.addresses, s.addr, n)
	}
}

// count adds n to the count of a key, which is removed when it reaches 0.
func count[K comparable](m *map[K]int, key K, n int) {
	if *m == nil {
		*m = make(map[K]int)
	}
	if (*m)[key] += n; (*m)[key] == 0 {
		delete(*m, key)
	}
}
