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

// peer is a server that asks for a session of this one, and its request.
type peer struct {
	srv     *server // this one
	node    string
	boot    id
	request id
}

// peer returns the sender of a poll or a post.
func (s *server) peer(m *message) peer { return peer{s, m.node, m.boot, m.request} }

// answer sends an answer. It does not wait: the error is pubsub.ErrBufferFull if the adapter's
// buffer is full.
func (p *peer) answer(m message) error {
	m.request = p.request
	return p.srv.send(p.node, p.boot, &m)
}

// answerWithin is answer, but waits for room in the adapter's buffer until ctx ends.
func (p *peer) answerWithin(ctx context.Context, m message) error {
	m.request = p.request
	return p.srv.sendWithin(ctx, p.node, p.boot, &m)
}

// conclude sends the last answer. It does not block: if the adapter's buffer is full, a goroutine
// waits.
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

// asked handles a request of another server. It returns a function that sends the answers, to be
// called in a goroutine, or nil.
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

// landing returns a channel that is closed when another server has received the answer to a
// request, or does not want it.
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

// landed closes the channel of landing, and forgets it.
func (s *server) landed(request id) {
	r := &s.route
	r.callMu.Lock()
	defer r.callMu.Unlock()
	if c := r.taken[request]; c != nil {
		close(c)
		delete(r.taken, request)
	}
}

// remotePoll is a poll whose client is connected to another server. It implements waiter, and
// task.Runner.
type remotePoll struct {
	peer
	ses   *session
	until time.Duration // when the other server has answered its client in any case
}

// remotePoll begins a poll of another server's client. It returns nil if there is no such session
// any more.
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
			// It stays one of the session's polls, because its client waits for the window.
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

// dismiss implements waiter. An answer that is being written is bounded by the other server.
func (p *remotePoll) dismiss() {
	p.srv.tasks.Go(func() { p.conclude(statusNoData) })
}

// serverClosing implements waiter.
func (p *remotePoll) serverClosing() {
	p.srv.tasks.Go(func() {
		p.Run() // messages that are queued come first
		_ = p.answer(message{kind: kindDone, status: statusClosing})
	})
}

// Run sends the messages that are queued, unless the client has been answered already.
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

// errFlights means that too many bytes are on their way to other servers.
var errFlights = errors.New("longpoll: too much is on its way to other nodes")

// sendBatch sends a batch when flights has room for it, and waits until it has arrived. After an
// error it cannot arrive completely.
func (p *remotePoll) sendBatch(b *batch) error {
	defer p.ses.answered()
	defer p.ses.written(b)
	ctx, cancel := context.WithTimeout(context.Background(), p.until-p.srv.now())
	defer cancel()
	size := 0
	for _, m := range b.messages {
		size += 4 + len(m)
	}
	if size <= earnest { // too small to count in flights
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

// remoteGone handles kindGone and kindBroken: nobody waits for the answer to a request, or the
// answer was lost.
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

// assembly is a post that has not arrived completely from another server.
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
