package longpoll

import (
	"log/slog"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// assembly is a post that has not arrived completely from another server.
// It has room for its whole body in the budgets from the first part on, so that its later parts
// cannot fail for lack of room. It is dropped when it is older than a window.
type assembly struct {
	from   peer
	number uint64
	ndjson bool
	size   int           // bytes of the whole body
	body   []byte        // the bytes that have arrived
	shares shares        // room for size bytes
	part   uint32        // the number of the next part
	began  time.Duration // on the server's clock
}

// maxAssemblies bounds the assemblies of a session. Clients have one post at a time.
const maxAssemblies = 4

// remotePost handles a post of another server's client, or its first part.
func (s *session) remotePost(m *message, from peer) (answer func()) {
	a := &assembly{from: from, number: m.number, ndjson: m.ndjson, size: int(m.size), part: 1, began: s.srv.now()}
	if a.size > s.mount.lim.maxBody || len(m.body) > a.size || m.last != (len(m.body) == a.size) {
		s.srv.book.Say(notice.RelayParts, s.about(slog.String("node", from.node))...)
		return func() { from.conclude(statusBad) }
	}
	a.shares = s.mount.sharesFor(s.id, s.addr)
	if full := a.shares.takeNow(a.size); full != nil {
		s.srv.book.Say(notice.PostBytes, s.about(slog.String("bound", full.bound), slog.Int("limit", full.limit), slog.String("node", from.node))...)
		return func() { from.conclude(statusUnhandled) }
	}
	a.body = append(make([]byte, 0, a.size), m.body...)
	if m.last {
		return s.assembled(a)
	}
	if status := s.begin(a); status != 0 {
		a.shares.release()
		if status == statusUnhandled {
			s.srv.book.Say(notice.RelayParts, s.about(slog.String("node", from.node), slog.Int("limit", maxAssemblies))...)
		}
		return func() { from.conclude(status) }
	}
	return func() { _ = from.answer(message{kind: kindAck}) }
}

// begin keeps a post whose further parts are to come. It returns 0, or the status with which to
// refuse the post.
func (s *session) begin(a *assembly) (status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropPartsLocked(func(other *assembly) bool { return a.began-other.began >= s.mount.lim.window })
	switch {
	case s.ended:
		return statusGone
	case len(s.parts) >= maxAssemblies:
		return statusUnhandled
	}
	s.parts = append(s.parts, a)
	return 0
}

// dropPartsLocked drops the assemblies for which which returns true.
func (s *session) dropPartsLocked(which func(*assembly) bool) {
	s.parts = slices.DeleteFunc(s.parts, func(a *assembly) bool {
		drop := which(a)
		if drop {
			a.shares.release()
		}
		return drop
	})
}

// withdrawRemote withdraws a post of another server's client who does not wait for it any more.
// A post that the worker handles already is not dropped, but its gone is closed, so that the worker
// waits no longer for its messages.
func (s *session) withdrawRemote(request id) {
	s.mu.Lock()
	s.dropPartsLocked(func(a *assembly) bool { return a.from.request == request })
	var found *post
	for _, p := range append(s.posts[:len(s.posts):len(s.posts)], s.current) {
		if p == nil {
			continue
		}
		if r, ok := p.result.(*remotePost); ok && r.from.request == request && !r.isGone {
			r.isGone = true
			close(r.gone)
			found = p
		}
	}
	s.mu.Unlock()
	if found != nil && s.withdraw(found) {
		s.unhandled(found.gone)
	}
}

// remotePart handles a further part of a post. A part that does not fit the others ends the post.
func (s *session) remotePart(m *message) (answer func()) {
	s.mu.Lock()
	at := slices.IndexFunc(s.parts, func(a *assembly) bool { return a.from.request == m.request })
	if at < 0 {
		s.mu.Unlock()
		return nil
	}
	a := s.parts[at]
	have := len(a.body) + len(m.body)
	good := m.part == a.part && have <= a.size && m.last == (have == a.size)
	if good {
		a.body = append(a.body, m.body...)
		a.part++
	}
	if !good || m.last {
		s.parts = slices.Delete(s.parts, at, at+1)
	}
	s.mu.Unlock()
	switch {
	case !good:
		a.shares.release()
		s.srv.book.Say(notice.RelayParts, s.about(slog.String("node", a.from.node))...)
		return func() { a.from.conclude(statusBad) }
	case m.last:
		return s.assembled(a)
	}
	return nil
}

// assembled queues a post that has arrived completely.
func (s *session) assembled(a *assembly) (answer func()) {
	s.srv.stats.posts.Add(1)
	r := &remotePost{from: a.from, every: s.mount.lim.window / 4, signed: s.srv.now(), gone: make(chan struct{})}
	p := &post{body: a.body, ndjson: a.ndjson, shares: a.shares, gone: r.gone, result: r}
	if status := s.add(a.number, p); status != 0 {
		s.refused(status)
		return func() { a.from.conclude(status) }
	}
	return func() { _ = a.from.answer(message{kind: kindAck}) }
}

// remotePost reports the result of a post to another server. It implements reporter; only the
// worker calls it.
type remotePost struct {
	from   peer
	every  time.Duration // least time between two signs of life
	signed time.Duration // when the last sign was sent, on the server's clock

	gone   chan struct{} // closed when nobody waits for the result any more
	isGone bool          // gone is closed; guarded by session.mu
}

// handled implements reporter. It sends a sign of life, so that the other server keeps waiting.
func (r *remotePost) handled() {
	if now := r.from.srv.now(); now-r.signed > r.every {
		r.signed = now
		_ = r.from.answer(message{kind: kindAck})
	}
}

// finished implements reporter.
func (r *remotePost) finished(status int) { r.from.conclude(status) }
