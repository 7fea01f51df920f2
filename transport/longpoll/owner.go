package longpoll

import (
	"context"
	"errors"
	"slices"

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
