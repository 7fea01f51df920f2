package client

import "time"

// timer is a time.AfterFunc for which Close waits. It counts as a task until it is stopped or its
// function has returned.
type timer struct {
	socket *Socket
	timer  *time.Timer
}

// afterLocked calls f after d, with the lock held, unless the timer is stopped before. A timer that
// fires while stop is called may call f afterwards, so f must check that the timer is the current one.
func (s *Socket) afterLocked(d time.Duration, f func(*timer)) *timer {
	t := &timer{socket: s}
	s.tasks.Add()
	t.timer = time.AfterFunc(d, func() {
		defer s.tasks.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		f(t)
	})
	return t
}

// stop stops a timer, which may be nil or stopped already.
func (t *timer) stop() {
	if t != nil && t.timer.Stop() {
		t.socket.tasks.Done()
	}
}
