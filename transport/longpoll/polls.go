package longpoll

import "slices"

// waiter is a poll that waits for messages. When it is woken, it calls take in a goroutine of its
// own.
type waiter interface {
	// wake must not block. It is called under the session's lock, perhaps after the poll has left.
	wake()
	// serverClosing is wake when the server closes.
	serverClosing()
	// dismiss makes a poll that later ones have overtaken answer at once, and stops an answer that
	// is being written. It must not block.
	dismiss()
	// isOver reports that the client has been answered, although the poll has not left.
	isOver() bool
}

// maxPolls bounds the polls of one session that are not answered. Clients have one at a time, and
// more only if earlier ones were cut off on their way.
const maxPolls = 4

// openPoll is a poll of a session that is waiting or being answered.
type openPoll struct {
	waiter
	batch uint64 // number of the batch that it waits for; 0 if it does not wait
}

// countLocked adds a poll, until it leaves. Beyond maxPolls the oldest one is dismissed, except the
// waiter.
// Without this, a client whose proxy cuts its polls could hold any number of requests open.
func (s *session) countLocked(p openPoll) {
	// Polls of other servers do not leave if their server has died.
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

// leave removes a poll that is answered.
func (s *session) leave(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveLocked(w)
}

// leaveLocked is leave for a caller that holds the lock. Another poll may become the waiter.
func (s *session) leaveLocked(w waiter) {
	if i := slices.IndexFunc(s.polls, func(p openPoll) bool { return p.waiter == w }); i >= 0 {
		s.polls = slices.Delete(s.polls, i, i+1)
	}
	if s.waiter == w {
		s.waiter = nil
	}
	s.inheritLocked()
}

// inheritLocked makes an earlier poll the waiter when the latest one has left without a batch: a
// poll that its client gave up may be read after the later one. The earlier poll may have no client
// either, so this is done only for clients that repeat polls.
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
