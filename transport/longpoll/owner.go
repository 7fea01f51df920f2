package longpoll

import (
	"bytes"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// peer is a server that asks, and its request.
type peer struct {
	srv     *Server // this one
	node    string
	boot    id
	request id
}

func (s *Server) peer(m *message) peer { return peer{s, m.node, m.boot, m.request} }

func (p *peer) answer(m message) error {
	m.request = p.request
	return p.srv.send(p.node, p.boot, &m)
}

// asked takes a request of another server. What it returns is to be run in a
// goroutine of its own; it is nil when there is nothing to answer.
func (s *Server) asked(m *message) (answer func()) {
	ses := s.session(m.session)
	from := s.peer(m)
	switch m.kind {
	case kindPoll:
		if ses != nil && ses.mount.index == m.mount {
			if answer = ses.remotePoll(m.number, from); answer != nil {
				return answer
			}
		}
		return func() { _ = from.answer(message{kind: kindNack}) }
	case kindPost:
		if ses == nil || ses.mount.index != m.mount {
			return func() { _ = from.answer(message{kind: kindNack}) }
		}
		return ses.remotePost(m, from)
	case kindPart:
		if ses != nil {
			return ses.remotePart(m)
		}
	case kindGone, kindBroken:
		if ses != nil {
			ses.remoteGone(m)
		}
	}
	return nil
}

// remotePoll is a poll whose client is connected to another server.
type remotePoll struct {
	peer
	ses   *session
	until time.Duration // when its client has been answered in any case
}

// remotePoll begins a poll of another server's client. It returns nil when the
// session is no more.
func (s *session) remotePoll(number uint64, from peer) (answer func()) {
	lim := s.mount.lim
	p := &remotePoll{peer: from, ses: s, until: s.srv.now() + lim.window + lim.pubsub}
	again, ok := s.poll(number, p)
	if !ok {
		return nil
	}
	s.srv.stats.polls.Add(1)
	if again != nil {
		return func() { _ = p.sendBatch(again) }
	}
	return func() {
		_ = p.answer(message{kind: kindAck})
		p.Run()
	}
}

// wake implements waiter.
func (p *remotePoll) wake() { p.srv.tasks.Start(p) }

// serverClosing implements waiter.
func (p *remotePoll) serverClosing() {
	p.srv.tasks.Go(func() {
		p.Run() // what is queued comes first
		_ = p.answer(message{kind: kindDone, status: statusClosing})
	})
}

// Run hands over what is queued, if its client can still be there.
func (p *remotePoll) Run() {
	if p.srv.now() > p.until {
		p.ses.leave(p)
		return
	}
	b, ok := p.ses.take(p)
	if !ok {
		return
	}
	if p.sendBatch(&b) != nil {
		p.ses.mu.Lock()
		defer p.ses.mu.Unlock()
		p.ses.giveBackLocked(p)
	}
}

func (p *remotePoll) sendBatch(b *batch) error {
	pieces := parts(joinMessages(b.messages))
	for i, piece := range pieces {
		m := message{kind: kindBatch, number: b.number, part: uint32(i), last: i == len(pieces)-1, body: piece}
		if err := p.answer(m); err != nil {
			return err
		}
	}
	return nil
}

// remoteGone says of a poll that nobody waits for its answer, or that the answer
// was lost.
func (s *session) remoteGone(m *message) {
	s.mu.Lock()
	w, _ := s.waiter.(*remotePoll)
	to, _ := s.box.to.(*remotePoll)
	if w != nil && w.request == m.request {
		s.waiter = nil
	}
	handed := to != nil && to.request == m.request
	if handed && m.kind == kindGone {
		s.giveBackLocked(to)
	}
	s.mu.Unlock()
	if handed && m.kind == kindBroken {
		s.broken(to)
	}
}

// assembly is a post of which more is to come.
type assembly struct {
	from   peer
	number uint64
	ndjson bool
	body   []byte
	part   uint32 // the next
	began  time.Duration
}

// maxAssemblies is how many of them a session may have. Clients post one at a
// time.
const maxAssemblies = 4

// remotePost takes a post of another server's client, or its first part.
func (s *session) remotePost(m *message, from peer) (answer func()) {
	a := &assembly{from: from, number: m.number, ndjson: m.ndjson, body: bytes.Clone(m.body), part: 1, began: s.srv.now()}
	if m.last {
		return s.assembled(a)
	}
	full := false
	defer func() {
		if full {
			s.srv.book.Say(notice.RelayParts, s.about(slog.String("node", from.node), slog.Int("limit", maxAssemblies))...)
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return func() { _ = from.answer(message{kind: kindNack}) }
	}
	kept := s.parts[:0]
	for _, other := range s.parts {
		if a.began-other.began < s.mount.lim.window {
			kept = append(kept, other)
		}
	}
	clear(s.parts[len(kept):])
	s.parts = kept
	if full = len(s.parts) >= maxAssemblies; full {
		return func() { _ = from.answer(message{kind: kindDone, status: statusUnhandled}) }
	}
	s.parts = append(s.parts, a)
	return func() { _ = from.answer(message{kind: kindAck}) }
}

// remotePart takes the next part of a post.
func (s *session) remotePart(m *message) (answer func()) {
	s.mu.Lock()
	var a *assembly
	at := 0
	for i, other := range s.parts {
		if other.from.request == m.request {
			a, at = other, i
		}
	}
	if a == nil {
		s.mu.Unlock()
		return nil
	}
	good := m.part == a.part && len(m.body) <= s.mount.lim.maxBody-len(a.body)
	if good {
		a.body = append(a.body, m.body...)
		a.part++
	}
	if !good || m.last {
		last := len(s.parts) - 1
		s.parts[at] = s.parts[last]
		s.parts[last] = nil
		s.parts = s.parts[:last]
	}
	s.mu.Unlock()
	switch {
	case !good:
		s.srv.book.Say(notice.RelayParts, s.about(slog.String("node", a.from.node))...)
		return func() { _ = a.from.answer(message{kind: kindDone, status: statusBad}) }
	case m.last:
		return s.assembled(a)
	}
	return nil
}

// assembled queues a post that is whole.
func (s *session) assembled(a *assembly) (answer func()) {
	s.srv.stats.posts.Add(1)
	r := &remotePost{from: a.from, every: s.mount.lim.window / 4, signed: s.srv.now()}
	if status := s.add(a.number, &post{body: a.body, ndjson: a.ndjson, result: r}); status != 0 {
		s.refused(status)
		return func() { _ = a.from.answer(message{kind: kindDone, status: status}) }
	}
	return func() { _ = a.from.answer(message{kind: kindAck}) }
}

// remotePost reports a post to another server. The worker alone uses it.
type remotePost struct {
	from   peer
	every  time.Duration // between signs of life
	signed time.Duration
}

// handled implements reporter.
func (r *remotePost) handled() {
	if now := r.from.srv.now(); now-r.signed > r.every {
		r.signed = now
		_ = r.from.answer(message{kind: kindAck})
	}
}

// finished implements reporter.
func (r *remotePost) finished(status int) {
	_ = r.from.answer(message{kind: kindDone, status: status})
}
