package longpoll

import "slices"

// waiter is a poll that waits. Woken, it asks with take, in a goroutine of its
// own.
type waiter interface {
	// wake must not block. It is called under the session's lock, and perhaps
	// when the waiter waits no more.
	wake()
	// serverClosing is wake for the end of the server.
	serverClosing()
	// dismiss answers at once a poll that newer ones have overtaken, and cuts an answer that
	// is being written. It must not block.
	dismiss()
	// isOver says that its client has been answered in any case.
	isOver() bool
}

// maxPolls is how many polls of one session are waiting or being answered. Clients have one at
// a time, and more only when those before were cut off on their way.
const maxPolls = 4

// openPoll is a poll of a session that is waiting or being answered.
type openPoll struct {
	waiter
	batch uint64 // the number of the batch that it waits for; 0 when it waits for none
}

// countLocked counts a poll until it leaves. Beyond maxPolls the oldest is dismissed, but not
// the one that waits for messages.
func (s *session) countLocked(p openPoll) {
	s.polls = slices.DeleteFunc(s.polls, openPoll.isOver)
	if len(s.polls) >= maxPolls {
		oldest := 0
		if s.polls[oldest].waiter == s.waiter {
			oldest++
		}
		s.polls[oldest].dismiss()
		s.polls = slices.Delete(s.polls, oldest, oldest+1)
	}
	s.polls = append(s.polls, p)
}

// leave says that w is answered.
func (s *session) leave(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveLocked(w)
}

func (s *session) leaveLocked(w waiter) {
	if i := slices.IndexFunc(s.polls, func(p openPoll) bool { return p.waiter == w }); i >= 0 {
		s.polls = slices.Delete(s.polls, i, i+1)
	}
	if s.waiter == w {
		s.waiter = nil
	}
	s.inheritLocked()
}

// inheritLocked has an earlier poll wait again when the latest one has left without a batch: a
// poll that its client gave up may be read after the one that followed it. The earlier one may as
// well be without a client, so it is done for clients alone that ask again for what they missed.
func (s *session) inheritLocked() {
	if s.waiter != nil || !s.box.adopting || len(s.box.pending) > 0 {
		return
	}
	for _, p := range slices.Backward(s.polls) {
		if p.batch == s.box.handed+1 && !p.isOver() {
			s.waiter = p.waiter
			if len(s.box.queue) > 0 {
				p.wake()
			}
			return
		}
	}
}
