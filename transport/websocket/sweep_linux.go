//go:build !noepoll

package websocket

import "time"

// sweep calls overdue for the connections that are due. It reports whether the
// goroutine has still something to do; otherwise the poller is closed.
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

// roundUp rounds d up to a multiple of unit, which is sweepEvery at least.
func roundUp(d, unit time.Duration) time.Duration {
	unit = max(unit, sweepEvery)
	return (d + unit - 1) / unit * unit
}
