package longpoll

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// peer is a server that asks, and its request.
type peer struct {
	srv     *server // this one
	node    string
	boot    id
	request id
}

func (s *server) peer(m *message) peer { return peer{s, m.node, m.boot, m.request} }

// answer sends an answer if there is place for it in the adapter's buffer.
func (p *peer) answer(m message) error {
	m.request = p.request
	return p.srv.send(p.node, p.boot, &m)
}

// answerWithin is answer that waits for a place.
func (p *peer) answerWithin(ctx context.Context, m message) error {
	m.request = p.request
	return p.srv.sendWithin(ctx, p.node, p.boot, &m)
}

// conclude sends the last answer. It does not block: if there is no place, a goroutine waits.
func (p peer) conclude(status int) {
	m := message{kind: kindDone, status: status}
	if err := p.answer(m); !errors.Is(err, pubsub.ErrBufferFull) {
		return
	}
	p.srv.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), defaultPubSubTimeout)
		defer cancel()
		_ = p.answerWithin(ctx, m)
	})
}

// asked takes a request of another server. What it returns is to be run in a
// goroutine of its own; it is nil when there is nothing to answer.
func (s *server) asked(m *message) (answer func()) {
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
	case kindGone, kindBroken, kindTaken:
		s.landed(m.request)
		if ses != nil && m.kind != kindTaken {
			ses.remoteGone(m)
		}
	}
	return nil
}

// landing returns what is closed when another server has, or does not want, the answer to a
// request.
func (s *server) landing(request id) <-chan struct{} {
	r := &s.route
	r.callMu.Lock()
	defer r.callMu.Unlock()
	if r.taken == nil {
		r.taken = make(map[id]chan struct{})
	}
	if r.taken[request] == nil {
		r.taken[request] = make(chan struct{})
	}
	return r.taken[request]
}

func (s *server) landed(request id) {
	r := &s.route
	r.callMu.Lock()
	defer r.callMu.Unlock()
	if c := r.taken[request]; c != nil {
		close(c)
		delete(r.taken, request)
	}
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
	again, newer, ok := s.poll(number, p)
	if !ok {
		return nil
	}
	s.srv.stats.polls.Add(1)
	if newer != nil {
		return func() {
			_ = p.answer(message{kind: kindAck})
			// It stays one of the session's polls: its client waits for the window.
			gone := s.srv.landing(p.request)
			defer s.srv.landed(p.request)
			if !s.overtaken(newer, gone) {
				_ = p.answer(message{kind: kindNack})
			}
		}
	}
	if again != nil {
		return func() {
			defer s.leave(p)
			_ = p.answer(message{kind: kindAck})
			_ = p.sendBatch(again)
		}
	}
	return func() {
		_ = p.answer(message{kind: kindAck})
		p.Run()
	}
}

// wake implements waiter.
func (p *remotePoll) wake() { p.srv.tasks.Start(p) }

// isOver implements waiter.
func (p *remotePoll) isOver() bool { return p.srv.now() > p.until }

// dismiss implements waiter. What is on its way to the other server is bounded there.
func (p *remotePoll) dismiss() {
	p.srv.tasks.Go(func() { p.conclude(statusNoData) })
}

// serverClosing implements waiter.
func (p *remotePoll) serverClosing() {
	p.srv.tasks.Go(func() {
		p.Run() // what is queued comes first
		_ = p.answer(message{kind: kindDone, status: statusClosing})
	})
}

// Run hands over what is queued, if its client can still be there.
func (p *remotePoll) Run() {
	if p.isOver() {
		p.ses.leave(p)
		return
	}
	b, ok := p.ses.take(p)
	if !ok {
		return
	}
	defer p.ses.leave(p)
	if p.sendBatch(&b) != nil {
		p.ses.mu.Lock()
		defer p.ses.mu.Unlock()
		p.ses.giveBackLocked(p)
	}
}

// errFlights says that too much is on its way to other servers.
var errFlights = errors.New("longpoll: too much is on its way to other nodes")

// sendBatch sends a batch when there is room for it on the way, and waits until it has
// arrived. An error says that it cannot arrive whole.
func (p *remotePoll) sendBatch(b *batch) error {
	defer p.ses.answered()
	defer p.ses.written(b)
	ctx, cancel := context.WithTimeout(context.Background(), p.until-p.srv.now())
	defer cancel()
	size := 0
	for _, m := range b.messages {
		size += 4 + len(m)
	}
	if size <= earnest { // which is not worth waiting for
		return p.answerWithin(ctx, message{kind: kindBatch, number: b.number, last: true, body: joinMessages(b.messages)})
	}
	flight := p.srv.flight()
	if flight.take(ctx, p.srv.closing, min(size, p.srv.flights.most), p.ses.mount.lim.window) != "" {
		p.srv.book.Say(notice.RelayBusy, p.ses.about(slog.String("node", p.node))...)
		return errFlights
	}
	defer flight.releaseAll()
	landing := p.srv.landing(p.request)
	defer p.srv.landed(p.request)
	pieces := parts(joinMessages(b.messages))
	for i, piece := range pieces {
		m := message{kind: kindBatch, number: b.number, part: uint32(i), last: i == len(pieces)-1, body: piece}
		if err := p.answerWithin(ctx, m); err != nil {
			return err
		}
	}
	timer := time.NewTimer(p.ses.mount.lim.pubsub)
	defer timer.Stop()
	select {
	case <-landing:
	case <-timer.C:
	case <-p.srv.closing:
	}
	return nil
}

// remoteGone says of a request that nobody waits for its answer, or that the answer
// was lost.
func (s *session) remoteGone(m *message) {
	s.withdrawRemote(m.request)
	s.mu.Lock()
	w, _ := s.waiter.(*remotePoll)
	to, _ := s.box.to.(*remotePoll)
	if w != nil && w.request == m.request {
		s.waiter = nil
	}
	s.polls = slices.DeleteFunc(s.polls, func(o openPoll) bool {
		p, ok := o.waiter.(*remotePoll)
		return ok && p.request == m.request
	})
	handed := to != nil && to.request == m.request
	if handed && m.kind == kindGone {
		s.giveBackLocked(to)
	}
	s.inheritLocked()
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
	size   int
	body   []byte
	shares shares // for size
	part   uint32 // the next
	began  time.Duration
}

// maxAssemblies is how many of them a session may have. Clients post one at a
// time.
const maxAssemblies = 4

// remotePost takes a post of another server's client, or its first part.
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

// begin keeps a post of which more is to come. The status is 0, or why it does not.
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

// dropPartsLocked drops posts of which the rest will not come.
func (s *session) dropPartsLocked(which func(*assembly) bool) {
	s.parts = slices.DeleteFunc(s.parts, func(a *assembly) bool {
		drop := which(a)
		if drop {
			a.shares.release()
		}
		return drop
	})
}

// withdrawRemote takes a post back of which another server says that nobody waits for it.
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

// remotePart takes the next part of a post.
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

// assembled queues a post that is whole.
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

// remotePost reports a post to another server. The worker alone uses it.
type remotePost struct {
	from   peer
	every  time.Duration // between signs of life
	signed time.Duration

	gone   chan struct{} // closed when nobody waits for it any more
	isGone bool          // guarded by the session
}

// handled implements reporter.
func (r *remotePost) handled() {
	if now := r.from.srv.now(); now-r.signed > r.every {
		r.signed = now
		_ = r.from.answer(message{kind: kindAck})
	}
}

// finished implements reporter.
func (r *remotePost) finished(status int) { r.from.conclude(status) }
