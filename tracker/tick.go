package tracker

import "time"

// maxWants bounds how many replicas one request is about.
const maxWants = 100

// maxParts bounds the heartbeats of one period. What is left goes out in the next.
const maxParts = 8

// Tick is called once in every Config.BroadcastPeriod, the first time soon after
// the start. It finds out who is silent, and returns what changed and what is to
// be sent. The time is any that only goes forward, the same as in Receive.
func (s *State) Tick(now time.Duration) (Diff, []*Message) {
	if s.stopped {
		return Diff{}, nil
	}
	s.excuse(now)
	var diff Diff
	s.rise(now, &diff)
	s.judge(now, &diff)
	out := s.beat()
	if s.ticks++; s.ticks%s.cfg.SamplePeriods == 0 {
		out = append(out, s.sample()...)
	}
	return diff, out
}

// Wake makes the next Tick send a heartbeat, whether anything has changed or not. It is
// for when this node was cut off and knows that it is back: others may have
// started or forgotten this one meanwhile, and nobody else would notice
// before the next idle heartbeat.
func (s *State) Wake() { s.beaten = false }

// excuse looks at how long ago the last Tick was. When it was much more than a
// period then this process stood still, and what the others said meanwhile may be
// yet to come: that time is no silence of theirs. They have missed this one, too.
func (s *State) excuse(now time.Duration) {
	if away := now - s.last; s.ticked && away > 2*s.cfg.BroadcastPeriod {
		for _, p := range s.order {
			p.heard = min(now, p.heard+away-s.cfg.BroadcastPeriod)
		}
		s.Wake()
	}
	s.ticked, s.last = true, now
}

// judge hides the replicas that are silent for too long and forgets those silent
// for much longer.
func (s *State) judge(now time.Duration, diff *Diff) {
	for i := 0; i < len(s.order); {
		p := s.order[i]
		silence := now - p.heard
		if silence > s.cfg.PermdownPeriod {
			// It may come back itself, the ones before it may not.
			s.bury(p.id.Name, p.id.Incarnation-1, now)
			s.drop(p, diff)
			continue
		}
		// Its idle heartbeat has been lost, and the next one might come too late.
		p.overdue = silence > s.cfg.idle()+2*s.cfg.BroadcastPeriod
		if p.up && silence > s.cfg.DownPeriod && s.defect != silenceIgnored {
			if s.defect == leavesUntold {
				s.lower(p, new(Diff))
			} else {
				s.lower(p, diff)
			}
		}
		i++
	}
	for name, g := range s.gone {
		if now-g.dug > 2*s.cfg.PermdownPeriod {
			delete(s.gone, name)
		}
	}
}

// beat is the heartbeats of this period: the changes since the last one, or, now
// and then, the mere word that this replica is here.
func (s *State) beat() []*Message {
	s.silent++
	if s.beaten && s.sent == s.own.clock && s.silent <= s.cfg.MaxSilentPeriods && !s.wanted() {
		return nil
	}
	s.silent, s.beaten = 0, true
	var out []*Message
	for range maxParts {
		m := &Message{kind: heartbeat, from: s.own.id, marks: s.marks()}
		d := s.own.cut(s.sent, s.sent, s.room(m), s.defect)
		s.sent = d.hi
		m.deltas = []delta{d}
		out = append(out, m)
		if s.sent == s.own.clock {
			break
		}
	}
	s.own.trim(s.cfg.History, s.sent)
	return out
}

// wanted reports whether somebody needs a heartbeat though nothing has changed.
// Silent may be who is known to be known by all, to the latest change; a peer that is
// down knows nothing. So after a healed partition all meet within a period or
// two, and not when the next idle heartbeat is due.
func (s *State) wanted() bool {
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

// marks tells how far the others are known. It leaves out those that are down or
// overdue, who are then wanted to say that they are there.
func (s *State) marks() []mark {
	marks := make([]mark, 0, len(s.order))
	for _, p := range s.order {
		if p.up && !p.overdue {
			marks = append(marks, mark{replica: p.id, clock: p.clock})
		}
	}
	return marks
}

// room is what is left for one delta in a message.
func (s *State) room(m *Message) int {
	return s.cfg.MessageSize - len(m.Append(nil)) - deltaSize
}

// sample asks for what is missing: first the replica itself, and then by turns those
// who said they know more of it, for it may not hear us.
func (s *State) sample() []*Message {
	var out []*Message
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

// knows reports whether p said that it knows more of another than we do.
func (p *peer) knows(of *peer) bool {
	for _, m := range p.ahead {
		if m.replica == of.id {
			return m.clock > of.clock
		}
	}
	return false
}

// ask adds a question about p to the request to somebody.
func (s *State) ask(out []*Message, from Replica, p *peer) []*Message {
	want := mark{p.id, p.clock, p.asOf}
	for _, m := range out {
		if m.kind == request && m.to == from && len(m.marks) < maxWants {
			m.marks = append(m.marks, want)
			return out
		}
	}
	s.stats.Requests++
	return append(out, &Message{kind: request, from: s.own.id, to: from, marks: []mark{want}})
}
