//go:build !noepoll

package websocket

import "time"

// sweep calls overdue for the connections whose deadlines have passed. It reports false if no
// connection is left: then the poller is closed, and the goroutine must end.
// It looks at all slots under the lock, and calls overdue without it.
func (p *poller) sweep() bool {
	now := p.srv.now()
	p.mu.Lock()
	if p.count == 0 {
		p.closeLocked()
		p.mu.Unlock()
		return false
	}
	p.wake = now + never
	for i := range p.slots {
		s := &p.slots[i]
		if s.conn == nil {
			continue
		}
		if s.due <= now {
			s.due = now + never
			p.due = append(p.due, s.conn)
		}
		p.wake = min(p.wake, s.due)
	}
	_ = p.epoll.SetReadDeadline(p.srv.at(p.wake))
	p.mu.Unlock()
	for i, c := range p.due {
		if (*polled)(c).overdue(now) {
			p.again.push(c)
		}
		p.due[i] = nil
	}
	p.due = p.due[:0]
	return true
}

// roundUp rounds d up to a multiple of unit, or of sweepEvery if that is longer.
func roundUp(d, unit time.Duration) time.Duration {
	unit = max(unit, sweepEvery)
	return (d + unit - 1) / unit * unit
}
