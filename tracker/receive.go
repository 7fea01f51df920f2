package tracker

import "time"

// Receive takes a message of another replica, at the time that it is, and
// returns what changed and what is to be sent. Messages may come twice, late, in
// any order, or not at all; those for another replica are ignored. It keeps no
// part of m that it does not copy or that may change.
func (s *State) Receive(now time.Duration, m *Message) (Diff, []*Message) {
	if s.stopped || m.to != (Replica{}) && m.to != s.own.id {
		return Diff{}, nil
	}
	if m.from.Name == s.own.id.Name {
		s.supersede(m.from)
		return Diff{}, nil
	}
	// A refusal is taken from everybody: two nodes may refuse each other.
	if m.kind != refusal && s.refused(m.from) {
		s.stats.Refused++
		if m.kind != heartbeat {
			return Diff{}, nil
		}
		return Diff{}, []*Message{{kind: refusal, from: s.own.id, to: m.from, newest: s.newest(m.from.Name)}}
	}
	if p := s.known(m.from); p != nil {
		p.heard, p.overdue = max(p.heard, now), false
	}
	var diff Diff
	var out []*Message
	switch m.kind {
	case heartbeat:
		out = s.heartbeat(now, m, &diff)
	case request:
		out = s.answer(m)
	case answer:
		out = s.learn(m, &diff)
	case goodbye:
		if p := s.peers[m.from.Name]; p != nil { // of this incarnation or one before
			s.drop(p, &diff)
		}
		s.bury(m.from.Name, m.from.Incarnation, now)
	case refusal:
		s.supersede(Replica{s.own.id.Name, m.newest})
	}
	return diff, out
}

func (s *State) heartbeat(now time.Duration, m *Message, diff *Diff) []*Message {
	p := s.meet(m.from, diff)
	if p == nil {
		s.stats.Refused++
		return nil
	}
	p.heard = max(p.heard, now)
	d := &m.deltas[0]
	p.told = max(p.told, d.hi)
	s.count(s.merge(p, d, diff))
	if !p.up {
		// After the merge, so that what came and went meanwhile is not told of.
		s.raise(p, diff)
	}
	s.note(p, m.marks)
	if p.asked || !p.behind() {
		return nil
	}
	// It has just been heard, so it is the one to ask, and now.
	p.asked = true
	return s.ask(nil, p.id, p)
}

// note keeps what a heartbeat said of others.
func (s *State) note(p *peer, marks []mark) {
	p.knowsUs, p.strangers, p.ahead = false, false, nil
	for _, m := range marks {
		if m.replica.Name == s.own.id.Name {
			if m.replica == s.own.id {
				p.knowsUs, p.ourClock = true, m.clock
			} else {
				s.supersede(m.replica)
			}
			continue
		}
		q := s.known(m.replica)
		switch {
		case q == nil:
			p.strangers = p.strangers || !s.refused(m.replica)
		case m.clock > q.clock:
			q.told = max(q.told, m.clock)
			p.ahead = append(p.ahead, m)
		}
	}
}

// answer gives what the asker is missing, as far as one message holds it. Whoever
// does not know more than the asker, or only part of it, gives nothing.
func (s *State) answer(m *Message) []*Message {
	reply := &Message{kind: answer, from: s.own.id, to: m.from}
	room := s.room(reply) - deltaSize*len(m.marks)
	for _, want := range m.marks {
		l := &s.own
		if want.replica != s.own.id {
			p := s.known(want.replica)
			if p == nil || !p.up || want.replica == m.from || p.clock < p.asOf {
				continue
			}
			l = &p.line
		}
		if l.clock <= want.clock || l.clock < want.asOf {
			continue
		}
		if len(reply.deltas) > 0 && room < s.cfg.MessageSize/4 {
			// An empty one, which says that there is more to ask for.
			reply.deltas = append(reply.deltas, delta{replica: l.id, lo: want.clock, hi: want.clock, base: want.asOf, asOf: want.asOf, end: l.clock})
			continue
		}
		d := l.cut(want.clock, want.asOf, room, s.defect)
		room -= d.size()
		reply.deltas = append(reply.deltas, d)
	}
	if len(reply.deltas) == 0 {
		return nil
	}
	s.stats.Answers++
	return []*Message{reply}
}

// learn merges an answer, and asks for the rest of it when it brought anything: so
// what is large comes one message at a time, at the pace of the slower side.
func (s *State) learn(m *Message, diff *Diff) []*Message {
	progress := false
	for i := range m.deltas {
		d := &m.deltas[i]
		p := s.known(d.replica)
		if p == nil && s.defect == hearsayTaken && d.replica.Name != s.own.id.Name {
			if p = s.meet(d.replica, diff); p != nil {
				s.raise(p, diff)
			}
		}
		if p == nil {
			continue
		}
		p.told = max(p.told, d.end)
		v := s.merge(p, d, diff)
		s.count(v)
		progress = progress || v == merged
	}
	if !progress {
		return nil
	}
	var out []*Message
	for i := range m.deltas {
		d := &m.deltas[i]
		if p := s.known(d.replica); p != nil && (p.clock < p.asOf || p.clock < d.end) {
			out = s.ask(out, m.from, p)
		}
	}
	return out
}

func (s *State) count(v verdict) {
	switch v {
	case gap:
		s.stats.Gaps++
	case tooMany:
		s.stats.Refused++
	}
}

// Goodbye ends this replica in good order: the others let its entries leave at once,
// and for good. The message is to be sent; the State does nothing after it.
func (s *State) Goodbye() *Message {
	s.stopped = true
	return &Message{kind: goodbye, from: s.own.id}
}
