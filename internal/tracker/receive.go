package tracker

import "time"

// receive handles a message of another replica, and returns the changes and the messages to send.
// Messages may come twice, late, in any order, or not at all. A message for another replica is ignored.
func (s *state) receive(now time.Duration, m *message) (Diff, []*message) {
	if s.stopped || m.to != (replica{}) && m.to != s.own.id {
		return Diff{}, nil
	}
	if m.from.name == s.own.id.name {
		s.supersede(m.from)
		return Diff{}, nil
	}
	// A refusal is accepted from refused replicas too: two nodes may refuse each other.
	if m.kind != refusal && s.refused(m.from) {
		s.stats.Refused++
		if m.kind != heartbeat {
			return Diff{}, nil
		}
		return Diff{}, []*message{{kind: refusal, from: s.own.id, to: m.from, newest: s.newest(m.from.name)}}
	}
	if p := s.known(m.from); p != nil {
		p.heard, p.overdue = max(p.heard, now), false
	}
	var diff Diff
	var out []*message
	switch m.kind {
	case heartbeat:
		out = s.heartbeat(now, m, &diff)
	case request:
		out = s.answer(m)
	case answer:
		out = s.learn(m, &diff)
	case goodbye:
		if p := s.peers[m.from.name]; p != nil { // of this incarnation or a lower one
			s.drop(p, &diff)
		}
		s.bury(m.from.name, m.from.incarnation, now)
	case refusal:
		s.supersede(replica{s.own.id.name, m.newest})
	}
	return diff, out
}

// heartbeat merges the changes of a heartbeat, and asks its sender for those that are missing.
func (s *state) heartbeat(now time.Duration, m *message, diff *Diff) []*message {
	p := s.meet(m.from, diff)
	if p == nil {
		s.stats.Refused++
		return nil
	}
	p.heard = max(p.heard, now)
	d := &m.deltas[0]
	p.told = max(p.told, d.hi)
	s.countVerdict(s.merge(p, d, diff))
	if !p.up {
		// After the merge, so that entries that were added and removed while it was down are in
		// no diff.
		s.raise(p, diff)
	}
	s.note(p, m.marks)
	if p.asked || !p.behind() {
		return nil
	}
	// It is reachable now, so it is asked at once and not at the next sample.
	p.asked = true
	return s.ask(nil, p.id, p)
}

// note evaluates the marks of a heartbeat of p.
func (s *state) note(p *peer, marks []mark) {
	p.knowsUs, p.strangers, p.ahead = false, false, nil
	for _, m := range marks {
		if m.replica.name == s.own.id.name {
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

// answer returns the changes that a request asks for, as far as they fit into one message. It leaves out
// a replica if this one knows no more of it than the sender, or has only a part of its full state.
func (s *state) answer(m *message) []*message {
	reply := &message{kind: answer, from: s.own.id, to: m.from}
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
		if len(reply.deltas) > 0 && room < s.opts.MessageBytes/4 {
			// An empty delta says that there is more to ask for.
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
	return []*message{reply}
}

// learn merges an answer, and asks for the next part if the answer has had any new change. So one message
// is on its way at a time, at the pace of the slower side.
func (s *state) learn(m *message, diff *Diff) []*message {
	progress := false
	for i := range m.deltas {
		d := &m.deltas[i]
		p := s.known(d.replica)
		if p == nil && s.defect == hearsayTaken && d.replica.name != s.own.id.name {
			if p = s.meet(d.replica, diff); p != nil {
				s.raise(p, diff)
			}
		}
		if p == nil {
			continue
		}
		p.told = max(p.told, d.end)
		v := s.merge(p, d, diff)
		s.countVerdict(v)
		progress = progress || v == merged
	}
	if !progress {
		return nil
	}
	var out []*message
	for i := range m.deltas {
		d := &m.deltas[i]
		if p := s.known(d.replica); p != nil && (p.clock < p.asOf || p.clock < d.end) {
			out = s.ask(out, m.from, p)
		}
	}
	return out
}

// countVerdict counts deltas that were not merged.
func (s *state) countVerdict(v verdict) {
	switch v {
	case gap:
		s.stats.Gaps++
	case tooMany:
		s.stats.Refused++
	}
}

// goodbye ends this replica and returns the message that says so, on which the others
// remove its entries for good. The state does nothing afterwards.
func (s *state) goodbye() *message {
	s.stopped = true
	return &message{kind: goodbye, from: s.own.id}
}
