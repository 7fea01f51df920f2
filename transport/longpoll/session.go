package longpoll

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Reasons a session ended, given to Receiver.Closed beside those of package
// transport.
var (
	// ErrInactive says that nobody polled for 1.5 windows or more.
	ErrInactive = errors.New("longpoll: nobody polled within the window")
	// ErrGap says that the client asked again for a batch that it had already
	// acknowledged, so that it would have missed one without knowing.
	ErrGap = errors.New("longpoll: client asked for a batch that is gone")
)

// waiter is a poll that waits. Woken, it asks with take, in a goroutine of its
// own.
type waiter interface {
	// wake must not block. It is called under the session's lock, and perhaps
	// when the waiter waits no more.
	wake()
	// serverClosing is wake for the end of the server.
	serverClosing()
}

// settler is what a Receiver may also be. Settled returns nil when all that was
// received is handled, or a channel that is closed then.
type settler interface{ Settled() <-chan struct{} }

// session is one connection. It implements transport.Conn.
//
// It has no goroutine while nothing happens. Its worker exists while there are
// posts to hand to the receiver or an end to tell it of, and is the only one to
// call the receiver.
type session struct {
	srv      *Server
	mount    *Handler
	id       id
	addr     string // whose slot it takes
	receiver transport.Receiver
	settler  settler       // the receiver, or nil
	done     chan struct{} // closed with ended

	// Used by the worker alone.
	hold   <-chan struct{} // no Receive before it is closed
	opened chan struct{}   // closed when Opened has returned; then nil
	closed bool            // Closed was called

	mu      sync.Mutex // no other lock is taken under it but those of task.Group
	box     outbox
	waiter  waiter
	polled  time.Duration // start of the latest poll, on the server's clock
	used    time.Duration // when a token was last presented
	expiry  *time.Timer
	posts   []*post
	parts   []*assembly // posts of which other nodes have sent a part
	working bool        // the worker runs
	ended   bool
	code    transport.CloseCode // 0 when the server did not close it
	reason  error
	dropped [4]bool // kinds of binary frame that were logged
}

// newSession makes a session and starts it. The channel is closed when Opened has
// returned.
func newSession(h *Handler, r transport.Receiver, addr string, adopting bool) (*session, <-chan struct{}) {
	now := h.srv.now()
	s := &session{
		srv: h.srv, mount: h, id: newID(), addr: addr, receiver: r,
		done: make(chan struct{}), opened: make(chan struct{}), polled: now, used: now, working: true,
	}
	s.settler, _ = r.(settler)
	s.box.adopting = adopting
	return s, s.opened
}

// start lets the session live. It is in the server's table already.
func (s *session) start() {
	s.mu.Lock()
	if !s.ended {
		s.expiry = time.AfterFunc(s.lifetime(), s.expire)
	}
	s.mu.Unlock()
	s.srv.tasks.Start(s)
}

// lifetime is how long the session lives without polls, at least.
func (s *session) lifetime() time.Duration { return s.mount.lim.window * 3 / 2 }

// expire ends the session unless somebody polled since it last looked.
func (s *session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
	case s.srv.now()-s.polled >= s.lifetime():
		s.endLocked(0, ErrInactive)
	default:
		s.expiry.Reset(s.lifetime())
	}
}

// Send implements transport.Conn. No client can read a binary frame, so that is
// dropped here, where the others are not harmed.
func (s *session) Send(f transport.Frame) bool {
	if f.Len() > 0 && f.Opcode() != wire.Text {
		return s.dropBinary(f.Payload())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return false
	case f.Len() == 0: // the zero Frame
		return true
	}
	m := f.Payload()
	if !s.box.fits(len(m), s.mount.lim) {
		s.box.drop()
		s.endLocked(transport.CloseTryAgainLater, transport.ErrSlowConsumer)
		return false
	}
	s.box.push(m)
	if len(s.box.queue) == 1 && s.waiter != nil {
		s.waiter.wake()
	}
	return true
}

// dropBinary logs each of the kinds of binary frame, which its first byte tells,
// once a session.
func (s *session) dropBinary(payload []byte) bool {
	kind := len(s.dropped) - 1
	if len(payload) > 0 {
		kind = min(kind, int(payload[0]))
	}
	s.mu.Lock()
	ended, logged := s.ended, s.dropped[kind]
	if !ended {
		s.dropped[kind] = true
	}
	s.mu.Unlock()
	if ended {
		return false
	}
	s.srv.stats.binary.Add(1)
	if logged {
		s.srv.book.Tally(notice.BinaryFrame)
	} else {
		s.srv.book.Say(notice.BinaryFrame, s.about(slog.Int("kind", kind), slog.Int("bytes", len(payload)))...)
	}
	return true
}

// Close implements transport.Conn. A poll that waits takes what is queued, or
// runs to its window.
func (s *session) Close(code transport.CloseCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.endLocked(code, &transport.ClosedError{Code: code})
	}
}

// fail ends the session because its receiver broke.
func (s *session) fail() { s.Close(transport.CloseInternalError) }

// closeNow is Close for the end of the server.
func (s *session) closeNow(code transport.CloseCode) {
	s.Close(code)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiter != nil {
		s.waiter.serverClosing()
	}
}

// endLocked ends the session and lets the worker tell the receiver.
func (s *session) endLocked(code transport.CloseCode, reason error) {
	s.ended, s.code, s.reason = true, code, reason
	close(s.done)
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.parts = nil
	// Only who waits already may still have what was queued; the next poll finds
	// no session.
	s.box.received()
	if s.waiter == nil {
		s.box.drop()
	}
	s.srv.stats.ended(code, reason)
	s.workLocked()
}

// poll begins a poll with the number of its token. The session has at most one
// waiter, the latest. The result says whether there is a session to wait for;
// a batch that is not nil is to be given again at once.
func (s *session) poll(number uint64, w waiter) (again *batch, ok bool) {
	now := s.srv.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.useLocked(now) {
		return nil, false
	}
	switch s.box.prove(number) {
	case proofUnknown:
		return nil, false
	case proofGap:
		s.endLocked(0, ErrGap)
		return nil, false
	case proofRepeat:
		s.polled = now
		s.waiter = nil
		s.srv.stats.redelivered.Add(1)
		b := s.box.repeat()
		return &b, true
	}
	s.polled = now
	s.waiter = w
	return nil, true
}

// useLocked reports whether a token of the session is still good, and extends
// its time.
func (s *session) useLocked(now time.Duration) bool {
	if s.ended {
		return false
	}
	if now-s.used > s.mount.lim.tokenAge {
		s.endLocked(0, ErrInactive)
		return false
	}
	s.used = now
	return true
}

// take hands the queue over to w, if w is still the waiter. Whoever calls it
// has made sure that the client of w is still there.
func (s *session) take(w waiter) (batch, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiter != w || len(s.box.queue) == 0 {
		return batch{}, false
	}
	s.waiter = nil
	s.srv.stats.batches.Add(1)
	return s.box.hand(w), true
}

// leave says that w waits no more.
func (s *session) leave(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveLocked(w)
}

func (s *session) leaveLocked(w waiter) {
	if s.waiter == w {
		s.waiter = nil
	}
}

// giveBackLocked undoes a hand-over to w of which nothing was written, and
// serves who waits now.
func (s *session) giveBackLocked(w waiter) {
	if s.ended || len(s.box.pending) == 0 || s.box.to != w {
		return
	}
	s.box.restore()
	if s.waiter != nil {
		s.waiter.wake()
	}
}

// broken says that writing the batch that w was given failed. A client that
// adopts tokens asks for it again. Another cannot, so it must see that
// something is missing.
func (s *session) broken(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && !s.box.adopting && s.box.to == w {
		s.endLocked(0, transport.ErrLost)
	}
}
