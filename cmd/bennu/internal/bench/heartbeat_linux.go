package bench

import "time"

// heartbeats sends those that are due, spread evenly over all connections.
func (l *loop) heartbeats() {
	if l.opened == 0 {
		l.beatFrom, l.beats = l.now, 0
		return
	}
	due := int(int64(len(l.conns)) * int64((l.now-l.beatFrom)/time.Microsecond) / int64(l.o.heartbeat/time.Microsecond))
	// After a long pause of this process, missed heartbeats are not made up for.
	if late := due - l.beats - len(l.conns); late > 0 {
		l.beats += late
	}
	for ; l.beats < due; l.beats++ {
		i := l.beat
		l.beat = (l.beat + 1) % len(l.conns)
		c := &l.conns[i]
		if c.state != open || c.paused {
			continue
		}
		if c.beating {
			// A late answer is waited for; the timeout of the phase bounds that.
			if c.missed++; time.Duration(c.missed)*l.o.heartbeat >= l.o.timeout {
				c.missed = 0
				l.report.Faults.Heartbeats++
			}
			continue
		}
		c.beating, c.missed = true, 0
		l.push(i, []byte("null"), []byte(`"h0"`), []byte(`"phoenix"`), []byte(`"heartbeat"`), []byte("{}"))
	}
}
