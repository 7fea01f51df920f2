package longpoll

import (
	"log/slog"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
)

// The status of an answer, inside its envelope.
const (
	statusOK        = 200
	statusNoData    = 204
	statusClosing   = 503 // only between nodes: the owner of the session shuts down
	statusBad       = 400 // an HTTP status, not one in the envelope
	statusForbidden = 403
	statusUnhandled = 408
	statusGone      = 410
)

// post is the body of one POST, on its way to the receiver.
type post struct {
	body   []byte
	ndjson bool
	shares shares          // the room of the body
	gone   <-chan struct{} // closed when nobody waits for the result any more
	queued time.Duration   // when add queued it, on the server's clock
	result reporter
}

// finish reports the result. It gives the room back first, since a client that gets the answer may
// post again.
func (p *post) finish(status int) {
	p.body = nil
	p.shares.release()
	p.result.finished(status)
}

// reporter gets the result of a post. Its methods must not block.
type reporter interface {
	handled()            // one message is handled, and others follow
	finished(status int) // called once
}

// maxPosts bounds the posts of one session that wait. Clients have one at a time.
const maxPosts = 32

// add queues a post. It returns 0, and the worker reports the result; or the status with which the
// post is refused. number is that of the request's token.
func (s *session) add(number uint64, p *post) (status int) {
	now := s.srv.now()
	defer func() {
		if status != 0 {
			p.shares.release()
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	// A token with a number that no batch has had cannot be genuine.
	case !s.useLocked(now) || number > s.box.handed:
		return statusGone
	case len(s.posts) >= maxPosts:
		return statusUnhandled
	}
	if number > 0 {
		s.box.adopting = true
	}
	p.queued = now
	s.posts = append(s.posts, p)
	s.workLocked()
	return 0
}

// refused counts and logs that add has refused a post because too many wait. If the session is
// gone, the caller logs that.
func (s *session) refused(status int) {
	if status == statusUnhandled {
		s.srv.book.Say(notice.PostsWaiting, s.about(slog.Int("limit", maxPosts))...)
	}
}

// withdraw removes a post that waits, and gives its room back. It reports false if the worker has
// begun to handle it.
func (s *session) withdraw(p *post) bool {
	s.mu.Lock()
	i := slices.Index(s.posts, p)
	if i >= 0 {
		s.posts = slices.Delete(s.posts, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 {
		return false
	}
	p.body = nil
	p.shares.release()
	return true
}

// workLocked starts the worker if it does not run.
func (s *session) workLocked() {
	if !s.working {
		s.working = true
		s.srv.tasks.Start(s)
	}
}

// Run is the worker. It implements task.Runner.
func (s *session) Run() {
	returned := false
	defer func() {
		if !returned { // the receiver called runtime.Goexit
			s.panicked("runtime.Goexit")
			s.fail()
			s.markOpened()
			s.srv.tasks.Start(s) // another worker tells the receiver of the end
		}
	}()
	s.work()
	returned = true
}

// work calls Opened, and then handles posts and the end of the session until there is nothing to
// do.
// Only one worker runs at a time, so the receiver's methods are called one at a time, as seam.Receiver
// wants it: Opened first, Closed last.
func (s *session) work() {
	if s.opened != nil {
		s.guard(func() { s.receiver.Opened(s) })
		s.markOpened()
	}
	for {
		p, ended := s.next()
		switch {
		case p != nil && ended:
			p.finish(statusGone)
		case p != nil:
			s.handle(p)
		case ended && !s.closed:
			s.close()
		default:
			return
		}
	}
}

// markOpened closes the channel that newSession returned.
func (s *session) markOpened() {
	if s.opened != nil {
		close(s.opened)
		s.opened = nil
	}
}

// next returns the next post, and whether the session has ended. If there is nothing to do, the
// worker must end.
func (s *session) next() (p *post, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.posts) > 0 {
		p = s.posts[0]
		s.posts[0] = nil
		s.posts = s.posts[1:]
		s.current = p
		return p, s.ended
	}
	s.posts, s.current = nil, nil
	// Under the lock, so that whoever queues something after this starts another worker. If the end
	// is still to be told, this one goes on.
	s.working = s.ended && !s.closed
	return nil, s.ended
}

// close tells the receiver of the end, and then the server.
func (s *session) close() {
	s.closed = true
	defer s.srv.forget(s)
	s.sayEnd()
	s.guard(func() { s.receiver.Closed(s.reason) }) // reason does not change after the end
}

// sayEnd counts and logs why the session ended, for reasons that are not logged where they are
// found.
func (s *session) sayEnd() {
	switch s.reason {
	case errInactive:
		s.srv.book.Say(notice.Inactive, s.about()...)
	case errGap:
		s.srv.book.Say(notice.BatchGone, s.about()...)
	case transport.ErrLost:
		s.srv.book.Say(notice.BatchLost, s.about()...)
	}
}

// handle gives the messages of a post to the receiver, each when the one before is handled. If
// nobody waits for the result any more, messages that would have to wait are dropped.
func (s *session) handle(p *post) {
	status := statusUnhandled // also if the receiver calls runtime.Goexit
	defer func() {
		if status == statusUnhandled {
			s.unhandled(p.gone)
		}
		p.finish(status)
	}()
	lim := s.mount.lim
	list := lines{p.body, p.ndjson, lim.maxBatch}
	p.body = nil
	more, err := list.check()
	if err != nil {
		s.srv.book.Say(notice.BodyMalformed, s.about(slog.String("error", err.Error()))...)
		s.srv.stats.badBodies.Add(1)
		status = statusBad
		return
	}
	// As in Phoenix, this is not an error for the client.
	if more {
		s.srv.book.Say(notice.BatchTooLong, s.about(slog.Int("limit", lim.maxBatch))...)
		s.srv.stats.ignoredLines.Add(1)
	}
	// The time in the queue counts for the first message.
	within := lim.window - (s.srv.now() - p.queued)
	for first := true; ; first = false {
		l, ok := list.next()
		if !ok {
			break
		}
		if !first {
			p.result.handled()
			within = lim.window
		}
		if within <= 0 || !s.receive(l, within, p.gone) {
			return
		}
	}
	status = statusOK
}

// unhandled counts and logs that a post was not handled, or not completely. If gone is closed, its
// client went away. If the session has ended, the reason of that is logged already.
func (s *session) unhandled(gone <-chan struct{}) {
	s.srv.stats.unhandled.Add(1)
	select {
	case <-s.done:
		return
	default:
	}
	select {
	case <-gone:
		s.srv.book.Say(notice.PostWithdrawn, s.about()...)
	default:
		s.srv.book.Say(notice.PostUnhandled, s.about(slog.Duration("limit", s.mount.lim.window))...)
	}
}

// receive gives one message to the receiver and waits until it is handled, at most within and until
// gone is closed. It reports whether the message was handled and did not end the session.
//
// Three waits count together: until the receiver takes messages again after an earlier one, until it
// takes more after this one, and until everything is handled, if it can tell (ability.Completer).
func (s *session) receive(l line, within time.Duration, gone <-chan struct{}) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	// The receiver may still not take messages because of an earlier one that was given up.
	if !s.await(s.hold, timer, gone) {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
	}
	s.srv.stats.In(1, len(l.data))
	ok := s.guard(func() {
		s.hold = s.receiver.Receive(l.op, l.data)
	})
	l.data = nil // the receiver owns it and counts it itself
	ok = ok && s.await(s.hold, timer, gone)
	if ok && s.completer != nil {
		var handled <-chan struct{}
		ok = s.guard(func() { handled = s.completer.AllHandled() }) && s.await(handled, timer, gone)
	}
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended || !blames(s.code)
}

// await waits until c, which may be nil, is closed. It reports false if the session ends first, the
// time is over or gone is closed.
func (s *session) await(c <-chan struct{}, timer *time.Timer, gone <-chan struct{}) bool {
	if c == nil {
		return true
	}
	select {
	case <-c:
		return true
	default:
	}
	select {
	case <-c:
		return true
	case <-s.done:
	case <-timer.C:
	case <-gone:
	}
	return false
}

// blames reports whether a close code means that the client's message was wrong, or that the
// receiver failed because of it. A session that ends with another code while a post is handled did
// not end because of that post.
func blames(code transport.CloseCode) bool {
	switch code {
	case transport.CloseProtocolError, transport.CloseInvalidData, transport.ClosePolicy,
		transport.CloseTooBig, transport.CloseInternalError:
		return true
	}
	return false
}

// guard calls the receiver. It reports false after a panic, which ends the session.
func (s *session) guard(call func()) (ok bool) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			s.panicked(v)
			s.fail()
		}
	}()
	call()
	returned = true
	return true
}

// panicked counts and logs that the receiver panicked, or called runtime.Goexit.
func (s *session) panicked(v any) {
	s.srv.book.Say(notice.LongPollReceiver, s.about(slog.Any("panic", v), redact.StackAttr())...)
}

// about returns attrs with the attributes by which the receiver describes the session.
func (s *session) about(attrs ...slog.Attr) []slog.Attr {
	if r, ok := s.receiver.(ability.Describer); ok {
		return r.About(attrs...)
	}
	return attrs
}
