package longpoll

import (
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Reasons for the end of a session, beside those of package transport, which Receiver.Closed gets.
var (
	// errInactive means that the client did not poll for 1.5 windows or more.
	errInactive = &sessionEnd{"longpoll: nobody polled within the window", transport.ErrIdle}
	// errGap means that the client asked again for a batch that it had acknowledged. It would have
	// missed messages without knowing.
	errGap = &sessionEnd{"longpoll: client asked for a batch that is gone", transport.ErrLost}
)

// A sessionEnd is a reason of package transport with a text of its own.
type sessionEnd struct {
	text string
	kind error
}

func (e *sessionEnd) Error() string { return e.text }

func (e *sessionEnd) Unwrap() error { return e.kind }

// session is one connection over long polling. It implements seam.Conn.
//
// It has no goroutine while nothing happens. Its worker exists while there are posts to handle or
// an end to tell, and is the only goroutine that calls the receiver.
//
// It ends in this order. endLocked sets ended, after which no message is taken and no request finds
// the session. The worker gives each post that still waits the status 410, tells the receiver, and
// lets the server forget the session. A poll that waits may still get the last messages, and the
// slot of the address is given back when no answer is being written any more.
type session struct {
	srv       *server
	mount     *handler
	id        id
	addr      string // its slot in server.addresses
	receiver  seam.Receiver
	completer ability.Completer // the receiver, or nil if it cannot tell
	done      chan struct{}     // closed when ended is set

	// Only the worker uses these.
	hold   <-chan struct{} // of the last Receive: closed when the next may be called
	opened chan struct{}   // closed when Opened has returned; nil after that
	closed bool            // Closed was called

	// The slot of the address is given back when the session has ended and no answer is being
	// written. These fields are guarded by mu.
	writing   int  // answers with messages that are being written
	forgotten bool // the server has forgotten the session
	slotGiven bool // the slot is given back

	mu      sync.Mutex          // guards the fields below; only locks of task.Group and budget are taken under it
	box     outbox              // messages for the client
	waiter  waiter              // the poll that gets the next messages, or nil
	polls   []openPoll          // all polls that are not answered, the oldest first; at most maxPolls
	newer   chan struct{}       // of overtaken: closed by the next poll; nil while none waits for it
	polled  time.Duration       // when the latest poll began, on the server's clock
	used    time.Duration       // when a token was last presented
	expiry  *time.Timer         // calls expire
	posts   []*post             // those that wait for the worker
	current *post               // the one that the worker handles, or nil
	parts   []*assembly         // posts of other nodes that have not arrived completely
	working bool                // the worker exists
	ended   bool                // the session takes no more messages or requests
	code    transport.CloseCode // 0 when the server did not close it
	reason  error
	low     *pace.Waiters // nil while nobody waits for a low outbox
	dropped [4]bool       // kinds of binary frame whose drop was logged
}

// newSession returns a session that start must start. The channel is closed when Opened has
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

// start starts the timer and the worker, which calls Opened. The session is in the server's table
// already.
func (s *session) start() {
	s.mu.Lock()
	if !s.ended {
		s.expiry = time.AfterFunc(s.lifetime(), s.expire)
	}
	s.mu.Unlock()
	s.srv.tasks.Start(s)
}

// lifetime returns the least time for which the session lives without polls.
func (s *session) lifetime() time.Duration { return s.mount.lim.window * 3 / 2 }

// expire is called by the timer. It ends the session, unless it was polled within its lifetime.
func (s *session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
	// The timer is not set anew for each poll. So a session ends between one and two lifetimes
	// after its last poll.
	case s.srv.now()-s.polled >= s.lifetime():
		s.endLocked(0, errInactive)
	default:
		now := s.srv.now()
		s.dropPartsLocked(func(a *assembly) bool { return now-a.began >= s.mount.lim.window })
		s.expiry.Reset(s.lifetime())
	}
}

// Send implements seam.Conn. Binary frames, which no client of long polling can read, are dropped.
func (s *session) Send(f transport.Frame) bool {
	if len(f.Bytes()) > 0 && f.Opcode() != wire.Text {
		return s.dropBinary(f.Payload())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return false
	case len(f.Bytes()) == 0: // the zero Frame
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

// dropBinary counts a binary frame that is dropped, and logs the first of each kind, which is its
// first byte. It reports whether the session is open, as Send does.
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

// Close implements seam.Conn. A poll that waits gets the messages that are queued, or waits for the
// rest of its window.
func (s *session) Close(code transport.CloseCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.endLocked(code, &transport.ClosedError{Code: code})
	}
}

// fail ends the session because its receiver panicked.
func (s *session) fail() { s.Close(transport.CloseInternalError) }

// closeNow is Close, but the poll that waits is answered at once, because the server closes.
func (s *session) closeNow(code transport.CloseCode) {
	s.Close(code)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiter != nil {
		s.waiter.serverClosing()
	}
}

// endLocked ends the session and starts the worker, which tells the receiver.
func (s *session) endLocked(code transport.CloseCode, reason error) {
	s.ended, s.code, s.reason = true, code, reason
	close(s.done)
	if s.expiry != nil {
		s.expiry.Stop()
	}
	// Their room goes back at once. Further parts find no assembly and are ignored. The asking
	// server gives up after PubSubTimeout and answers its client.
	s.dropPartsLocked(func(*assembly) bool { return true })
	// Only a poll that waits already may get what is queued; the next poll finds no session.
	s.box.received()
	if s.waiter == nil {
		s.box.drop()
	}
	s.lowLocked()
	s.srv.stats.ended(code, reason)
	s.workLocked()
}

// poll begins a poll with the number of its token. ok is false if there is no such session or
// batch.
//
// If again is not nil, the poll must be answered at once with that batch, which its client missed.
// If newer is not nil, the token is an old one, and the caller must call overtaken with it.
// Otherwise w becomes the waiter: the session has at most one, the latest poll.
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
	case proof == proofGap && s.waiter != nil: // a later poll waits, so this one was overtaken
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

// written is called when an answer with a batch of take or poll is written except for its last
// part, or given up. Its messages are not in memory any more.
func (s *session) written(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.messages = nil
	if !s.ended {
		s.box.written(b)
		s.lowLocked()
	}
}

// answered is called after written, when the answer is completely written, or given up.
func (s *session) answered() {
	s.mu.Lock()
	s.writing--
	last := s.slotLocked()
	s.mu.Unlock()
	if last {
		s.srv.addresses.Remove(s.addr)
	}
}

// slotLocked reports true once, when the slot of the address must be given back. A poll that waits
// may get a last answer after that.
func (s *session) slotLocked() bool {
	if s.slotGiven || !s.forgotten || s.writing > 0 {
		return false
	}
	s.slotGiven = true
	return true
}

// letGo gives the slot of the address back, or leaves that to answered.
func (s *session) letGo() {
	s.mu.Lock()
	s.forgotten = true
	last := s.slotLocked()
	s.mu.Unlock()
	if last {
		s.srv.addresses.Remove(s.addr)
	}
}

// passed is the closed channel for a poll that later ones have overtaken already.
var passed = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// gapGrace bounds how long a poll with an old token waits in overtaken.
const gapGrace = time.Second

// overtaken decides about a poll with an old token, and reports whether the session goes on. A poll
// that its client gave up may be read after later ones. It was such a poll if a later one arrives,
// or if its own client turns out to be gone. Otherwise the client asks for a batch that was
// dropped, and the session ends.
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
		s.endLocked(0, errGap)
	}
	return false
}

// useLocked reports whether tokens of the session are still valid, and extends their time.
func (s *session) useLocked(now time.Duration) bool {
	if s.ended {
		return false
	}
	if now-s.used > s.mount.lim.tokenAge {
		s.endLocked(0, errInactive)
		return false
	}
	s.used = now
	return true
}

// take returns the queue as a batch for w, if w is still the waiter and the queue is not empty. The
// caller has made sure that the client of w is still there, and must call written and answered.
// If w cannot be answered, it must also call giveBackLocked, when nothing was written, or broken.
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

// giveBackLocked undoes take for w, which has written nothing of the batch, and wakes the poll that
// waits now.
func (s *session) giveBackLocked(w waiter) {
	if s.ended || len(s.box.pending) == 0 || s.box.to != w {
		return
	}
	s.box.restore()
	if s.waiter != nil {
		s.waiter.wake()
	}
	s.leaveLocked(w) // so that w does not become the waiter again
}

// broken is called when writing the batch of w failed. A client that adopts tokens asks for it
// again. Any other client cannot, so its session ends: it must see that messages are missing.
func (s *session) broken(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && !s.box.adopting && s.box.to == w {
		s.endLocked(0, transport.ErrLost)
	}
}
