package longpoll

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
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

// session is one connection. It implements seam.Conn.
//
// It has no goroutine while nothing happens. Its worker exists while there are
// posts to hand to the receiver or an end to tell it of, and is the only one to
// call the receiver.
type session struct {
	srv       *server
	mount     *handler
	id        id
	addr      string // whose slot it takes
	receiver  seam.Receiver
	completer ability.Completer // the receiver, or nil
	done      chan struct{}     // closed with ended

	// Used by the worker alone.
	hold   <-chan struct{} // no Receive before it is closed
	opened chan struct{}   // closed when Opened has returned; then nil
	closed bool            // Closed was called

	// The address keeps its slot while answers are being written.
	writing   int
	forgotten bool
	slotGiven bool // it has been given back

	mu      sync.Mutex // no other lock is taken under it but those of task.Group and budget
	box     outbox
	waiter  waiter
	polls   []openPoll    // all that are to be answered, the oldest first; at most maxPolls
	newer   chan struct{} // closed by the next poll; nil while no old one waits for that
	polled  time.Duration // start of the latest poll, on the server's clock
	used    time.Duration // when a token was last presented
	expiry  *time.Timer
	posts   []*post
	current *post       // the one that is handled
	parts   []*assembly // posts of which other nodes have sent a part
	working bool        // the worker runs
	ended   bool
	code    transport.CloseCode // 0 when the server did not close it
	reason  error
	low     chan struct{} // closed when the outbox is low; nil while nobody waits for that
	dropped [4]bool       // kinds of binary frame that were logged
}

// newSession makes a session and starts it. The channel is closed when Opened has
// returned.
func newSession(h *handler, r seam.Receiver, addr string, adopting bool) (*session, <-chan struct{}) {
	now := h.srv.now()
	s := &session{
		srv: h.srv, mount: h, id: newID(), addr: addr, receiver: r,
		done: make(chan struct{}), opened: make(chan struct{}), polled: now, used: now, working: true,
	}
	s.completer, _ = r.(ability.Completer)
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
		now := s.srv.now()
		s.dropPartsLocked(func(a *assembly) bool { return now-a.began >= s.mount.lim.window })
		s.expiry.Reset(s.lifetime())
	}
}

// Send implements seam.Conn. No client can read a binary frame, so that is
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
	s.queueLocked(m)
	return true
}

// queueLocked queues a message, and wakes the poll that waits for one.
func (s *session) queueLocked(m []byte) {
	s.box.push(m)
	if len(s.box.queue) == 1 && s.waiter != nil {
		s.waiter.wake()
	}
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

// Close implements seam.Conn. A poll that waits takes what is queued, or
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
	s.dropPartsLocked(func(*assembly) bool { return true })
	// Only who waits already may still have what was queued; the next poll finds
	// no session.
	s.box.received()
	if s.waiter == nil {
		s.box.drop()
	}
	s.lowLocked()
	s.srv.stats.ended(code, reason)
	s.workLocked()
}

// poll begins a poll with the number of its token. The session has at most one
// waiter, the latest that has not left. The result says whether there is a session to wait for;
// a batch that is not nil is to be given again at once. A newer that is not nil says that the
// token is an old one, and is to be given to overtaken.
func (s *session) poll(number uint64, w waiter) (again *batch, newer <-chan struct{}, ok bool) {
	now := s.srv.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.useLocked(now) {
		return nil, nil, false
	}
	proof := s.box.prove(number)
	s.lowLocked()
	switch {
	case proof == proofUnknown:
		return nil, nil, false
	case proof == proofGap && s.waiter != nil: // whoever waits has all tokens since
		s.countLocked(openPoll{w, 0})
		return nil, passed, true
	case proof == proofGap:
		s.countLocked(openPoll{w, 0})
		if s.newer == nil {
			s.newer = make(chan struct{})
		}
		return nil, s.newer, true
	}
	s.polled = now
	if s.newer != nil {
		close(s.newer)
		s.newer = nil
	}
	if proof == proofRepeat {
		s.waiter = nil
		s.countLocked(openPoll{w, 0})
		s.srv.stats.redelivered.Add(1)
		b := s.box.repeat()
		s.writing++
		return &b, nil, true
	}
	s.waiter = w
	s.countLocked(openPoll{w, s.box.handed + 1})
	return nil, nil, true
}

// written says that an answer with a batch, which take or poll has returned, is written but for
// its last part, or given up. It is in memory no longer.
func (s *session) written(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.messages = nil
	if !s.ended {
		s.box.written(b)
		s.lowLocked()
	}
}

// answered says that such an answer is written, or given up. It follows written.
func (s *session) answered() {
	s.mu.Lock()
	s.writing--
	last := s.slotLocked()
	s.mu.Unlock()
	if last {
		s.srv.addresses.Remove(s.addr)
	}
}

// slotLocked reports, once, that the slot of the address is to be given back. A poll that waits
// may take the last answer after that.
func (s *session) slotLocked() bool {
	if s.slotGiven || !s.forgotten || s.writing > 0 {
		return false
	}
	s.slotGiven = true
	return true
}

// letGo gives back the slot of the address, or leaves that to answered.
func (s *session) letGo() {
	s.mu.Lock()
	s.forgotten = true
	last := s.slotLocked()
	s.mu.Unlock()
	if last {
		s.srv.addresses.Remove(s.addr)
	}
}

// passed is for a poll that others have overtaken already.
var passed = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// gapGrace bounds how long a poll with an old token is doubted.
const gapGrace = time.Second

// overtaken decides about a poll with an old token. A poll that its client gave up may be read
// after the ones that followed it: so it was if one of those comes, or if its own client
// proves to be gone. Otherwise the client asks for a batch that is gone, and the session ends.
// It reports whether the session goes on.
func (s *session) overtaken(newer, gone <-chan struct{}) bool {
	timer := time.NewTimer(min(gapGrace, s.mount.lim.window/10))
	defer timer.Stop()
	select {
	case <-newer:
		return true
	case <-gone:
		return true
	case <-s.done:
		return false
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-newer: // at the last moment
		return true
	case <-gone:
		return true
	default:
	}
	if !s.ended {
		s.endLocked(0, ErrGap)
	}
	return false
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
// has made sure that the client of w is still there, and calls written and
// answered.
func (s *session) take(w waiter) (batch, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiter != w || len(s.box.queue) == 0 {
		return batch{}, false
	}
	s.waiter = nil
	s.writing++
	s.srv.stats.batches.Add(1)
	b := s.box.hand(w)
	s.srv.stats.Out(len(b.messages), b.load.bytes, 1)
	return b, true
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
	s.leaveLocked(w) // so that it does not wait for the same again
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
