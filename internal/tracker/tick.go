package tracker

import "time"

// maxWants bounds the marks of a request.
const maxWants = 100

// maxParts bounds the heartbeats of one period. Further changes are sent in the next one.
const maxParts = 8

// tick is called once in every BroadcastPeriod, the first time soon after the start. It hides
// and forgets silent peers, and returns the changes and the messages to send. now is the time of a
// monotonic clock, the same as for receive.
func (s *state) tick(now time.Duration) (Diff, []*message) {
	if s.stopped {
		return Diff{}, nil
	}
	s.excuse(now)
	var diff Diff
	s.rise(now, &diff)
	s.judge(now, &diff)
	out := s.beat()
	if s.ticks++; s.ticks%s.opts.samplePeriods == 0 {
		out = append(out, s.sample()...)
	}
	return diff, out
}

// wake makes the next tick send a heartbeat even if nothing has changed. It is called when this node
// was disconnected and is back: others may have started, or have forgotten it, and would not notice it
// before its next idle heartbeat.
func (s *state) wake() { s.beaten = false }

// excuse checks the time since the last tick. If it is much more than a period, this process was
// stopped, and messages of the others may still be waiting to be read. So that time does not count as
// their silence. The others have missed the heartbeats of this replica, so it wakes.
func (s *state) excuse(now time.Duration) {
	if away := now - s.last; s.ticked && away > 2*s.opts.BroadcastPeriod {
		for _, p := range s.order {
			p.heard = min(now, p.heard+away-s.opts.BroadcastPeriod)
		}
		s.wake()
	}
	s.ticked, s.last = true, now
}

// judge hides the peers that were silent for a DownPeriod, and forgets those that were silent
// for a PermdownPeriod.
func (s *state) judge(now time.Duration, diff *Diff) {
	for i := 0; i < len(s.order); {
		p := s.order[i]
		silence := now - p.heard
		if silence > s.opts.PermdownPeriod {
			// The same incarnation may come back. Lower ones may not.
			s.bury(p.id.name, p.id.incarnation-1, now)
			s.drop(p, diff)
			continue
		}
		// Its idle heartbeat was lost, and the next may come after DownPeriod.
		p.overdue = silence > s.opts.idle()+2*s.opts.BroadcastPeriod
		if p.up && silence > s.opts.DownPeriod && s.defect != silenceIgnored {
			if s.defect == leavesUntold {
				s.lower(p, new(Diff))
			} else {
				s.lower(p, diff)
			}
		}
		i++
	}
	for name, g := range s.gone {
		if now-g.dug > 2*s.opts.PermdownPeriod {
			delete(s.gone, name)
		}
	}
}

// beat returns the heartbeats of this period: the changes since the last one, or, once in
// MaxSilentPeriods+1 periods, one without changes.
func (s *state) beat() []*message {
	s.silent++
	if s.beaten && s.sent == s.own.clock && s.silent <= s.opts.MaxSilentPeriods && !s.wanted() {
		return nil
	}
	s.silent, s.beaten = 0, true
	var out []*message
	for range maxParts {
		m := &message{kind: heartbeat, from: s.own.id, marks: s.marks()}
		d := s.own.cut(s.sent, s.sent, s.room(m), s.defect)
		s.sent = d.hi
		m.deltas = []delta{d}
		out = append(out, m)
		if s.sent == s.own.clock {
			break
		}
	}
	s.own.trim(s.opts.History, s.sent)
	return out
}

// wanted reports whether a peer needs a heartbeat although nothing has changed. A replica may be silent
// only if the last heartbeats of all peers say that they know its latest change. A peer that is down
// counts as one that knows none. So after a healed partition all replicas meet within a period or two,
// and do not wait for the next idle heartbeat. A replica without peers always sends.
func (s *state) wanted() bool {
	if s.defect == needIgnored {
		return false
	}
	alone := true
	for _, p := range s.order {
		if p.strangers || p.overdue || !p.knowsUs || p.ourClock < s.sent {
			return true
		}
		alone = false
	}
	return alone
}

// marks returns the marks of a heartbeat. Peers that are down or overdue are left out, which
// makes them send a heartbeat in their next period.
func (s *state) marks() []mark {
	marks := make([]mark, 0, len(s.order))
	for _, p := range s.order {
		if p.up && !p.overdue {
			marks = append(marks, mark{replica: p.id, clock: p.clock})
		}
	}
	return marks
}

// room returns the bytes that are left for one delta in a message.
func (s *state) room(m *message) int {
	return s.opts.MessageBytes - len(m.append(nil)) - deltaSize
}

// sample asks for missing changes: first the replica that has made them, and then in turn the peers that
// know more of it, since messages to the replica itself may be lost.
func (s *state) sample() []*message {
	var out []*message
	for _, p := range s.order {
		p.asked = false
		if !p.up || !p.behind() {
			p.tries = 0
			continue
		}
		sources := []*peer{p}
		for _, q := range s.order {
			if q != p && q.up && q.knows(p) {
				sources = append(sources, q)
			}
		}
		from := sources[p.tries%len(sources)]
		p.tries++
		p.asked = from == p
		out = s.ask(out, from.id, p)
	}
	return out
}

// knows reports whether the last heartbeat of p said that p knows more of another peer than this replica.
func (p *peer) knows(of *peer) bool {
	for _, m := range p.ahead {
		if m.replica == of.id {
			return m.clock > of.clock
		}
	}
	return false
}

// ask adds a mark for p to the request to from in out, or to a new one.
func (s *state) ask(out []*message, from replica, p *peer) []*message {
	want := mark{p.id, p.clock, p.asOf}
	for _, m := range out {
		if m.kind == request && m.to == from && len(m.marks) < maxWants {
			m.marks = append(m.marks, want)
			return out
		}
	}
	s.stats.Requests++
	return append(out, &message{kind: request, from: s.own.id, to: from, marks: []mark{want}})
}
