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

// The status of an answer, inside the envelope.
const (
	statusOK        = 200
	statusNoData    = 204
	statusClosing   = 503 // between nodes alone: the owner of the session is going
	statusBad       = 400 // an HTTP status, not one of the envelope
	statusForbidden = 403
	statusUnhandled = 408
	statusGone      = 410
)

// post is what was posted in one request.
type post struct {
	body   []byte
	ndjson bool
	shares shares          // of the body
	gone   <-chan struct{} // closed when nobody waits for the result any more
	queued time.Duration   // on the server's clock
	result reporter
}

// finish reports the result. Room comes first: whoever gets the answer may post again.
func (p *post) finish(status int) {
	p.body = nil
	p.shares.release()
	p.result.finished(status)
}

// reporter takes the result of a post. Its methods must not block.
type reporter interface {
	handled() // one of several messages
	finished(status int)
}

// maxPosts is how many posts of one session may wait. Clients have one at a
// time.
const maxPosts = 32

// add queues a post, whose result the worker reports unless the status is not 0.
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

// refused says that add has refused a post because too many wait. That a session is gone is
// said by who answers.
func (s *session) refused(status int) {
	if status == statusUnhandled {
		s.srv.book.Say(notice.PostsWaiting, s.about(slog.Int("limit", maxPosts))...)
	}
}

// withdraw takes a post back, with its room, unless it has begun.
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

// Run is the worker.
func (s *session) Run() {
	returned := false
	defer func() {
		if !returned { // the receiver called runtime.Goexit
			s.panicked("runtime.Goexit")
			s.fail()
			s.markOpened()
			s.srv.tasks.Start(s) // there is at least the end to be told of
		}
	}()
	s.work()
	returned = true
}

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

func (s *session) markOpened() {
	if s.opened != nil {
		close(s.opened)
		s.opened = nil
	}
}

// next is what the worker does next. When there is nothing, the worker ends.
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
	s.working = s.ended && !s.closed
	return nil, s.ended
}

// close tells the receiver of the end, and the server when that is done.
func (s *session) close() {
	s.closed = true
	defer s.srv.forget(s)
	s.sayEnd()
	s.guard(func() { s.receiver.Closed(s.reason) }) // which does not change any more
}

// sayEnd says why the session ended, where nothing else does.
func (s *session) sayEnd() {
	switch s.reason {
	case ErrInactive:
		s.srv.book.Say(notice.Inactive, s.about()...)
	case ErrGap:
		s.srv.book.Say(notice.BatchGone, s.about()...)
	case transport.ErrLost:
		s.srv.book.Say(notice.BatchLost, s.about()...)
	}
}

// handle hands the messages of a post to the receiver, one after another, each
// when the one before is handled. When nobody waits for the result any more, what would have
// to wait is dropped.
func (s *session) handle(p *post) {
	status := statusUnhandled // of a receiver that calls runtime.Goexit
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
	if more {
		s.srv.book.Say(notice.BatchTooLong, s.about(slog.Int("limit", lim.maxBatch))...)
		s.srv.stats.ignoredLines.Add(1)
	}
	// For the first message, time in the queue counts.
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

// unhandled says that a post was not handled, or not to its end: its client went away when
// gone is closed. When the session has ended, that was said, with its reason.
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

// receive hands one message to the receiver and waits until it is handled, at
// most for so long and until gone is closed. It reports whether the message was handled and
// was not the end of the session.
func (s *session) receive(l line, within time.Duration, gone <-chan struct{}) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	// A message before may have run out of its window and still be held.
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
	l.data = nil // what the receiver keeps it counts itself
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

// await waits until c, which may be nil, is closed. It reports false when the
// session ends first, the time is over or gone is closed.
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

// blames reports whether a close code says that what the client sent was wrong,
// or that the receiver failed over it. A session that ends with another code
// while a post is handled did not end because of that post.
func blames(code transport.CloseCode) bool {
	switch code {
	case transport.CloseProtocolError, transport.CloseInvalidData, transport.ClosePolicy,
		transport.CloseTooBig, transport.CloseInternalError:
		return true
	}
	return false
}

// guard calls the receiver. It reports false after a panic, which ends the
// session.
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

// panicked says that the receiver panicked, or called runtime.Goexit.
func (s *session) panicked(v any) {
	s.srv.book.Say(notice.LongPollReceiver, s.about(slog.Any("panic", v), redact.StackAttr())...)
}

// about adds what the receiver knows of the session to the attributes of a line.
func (s *session) about(attrs ...slog.Attr) []slog.Attr {
	if r, ok := s.receiver.(ability.Describer); ok {
		return r.About(attrs...)
	}
	return attrs
}
