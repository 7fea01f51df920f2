package cluster

import "sync"

// maxStreams is how many channels a publisher remembers its numbers for, at most
// twice. Of one that it has forgotten it begins a new numbering.
const maxStreams = 32 << 10

// streams numbers what this node publishes to each channel. It is used with a lock
// held.
type streams struct {
	young, old map[string]*stream
	epoch      uint64
}

type stream struct {
	channel    string
	epoch, seq uint64
}

// next numbers a message, and returns its stream. A stream that is used keeps its place; those
// that are not go after maxStreams others have come.
func (s *streams) next(channel string) stream {
	st := s.young[channel]
	if st == nil {
		if st = s.old[channel]; st == nil {
			s.epoch++
			st = &stream{channel: channel, epoch: s.epoch}
		}
		if len(s.young) >= maxStreams {
			s.young, s.old = nil, s.young
		}
		if s.young == nil {
			s.young = make(map[string]*stream)
		}
		s.young[channel] = st
	}
	st.seq++
	return *st
}

// maxSources bounds how many publishers a channel is followed for. Beyond that one that
// is gone is forgotten, or the one that was silent longest: what it repeats would be taken
// again, if it is not older than the interest.
const maxSources = 1024

// sources is how far a channel has been received from each publisher.
type sources struct {
	mu   sync.Mutex
	list []source // the one heard last comes first
}

type source struct {
	boot       uint64
	peer       *peer
	epoch, seq uint64
}

// verdict is what to do with a message.
type verdict struct {
	unknown bool   // its publisher has not proved that it is alive; nothing was noted
	stale   bool   // it came already, or too late
	missed  uint64 // how many before it did not come
}

// take notes a message of a publisher that is followed already. era is when it came.
func (s *sources) take(e *envelope, era uint64) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(e.boot)
	if i < 0 || s.list[i].peer.away(era) {
		return verdict{unknown: true}
	}
	return s.advance(i, e)
}

// begin follows a publisher. Its messages up to floor are older than the interest in this
// channel.
func (s *sources) begin(p *peer, e *envelope, floor uint64) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(e.boot); i >= 0 { // it was given up meanwhile, and is back
		s.list[i].peer = p
		return s.advance(i, e)
	}
	if e.serial <= floor {
		return verdict{stale: true}
	}
	p.heardOf(e.serial)
	last := len(s.list)
	if last < maxSources {
		s.list = append(s.list, source{})
	} else {
		last--
		for i := last; i >= 0; i-- {
			if s.list[i].peer.gone.Load() != 0 {
				last = i
				break
			}
		}
	}
	copy(s.list[1:last+1], s.list[:last])
	s.list[0] = source{e.boot, p, e.epoch, e.seq}
	return verdict{}
}

func (s *sources) find(boot uint64) int {
	for i := range s.list {
		if s.list[i].boot == boot {
			return i
		}
	}
	return -1
}

func (s *sources) advance(i int, e *envelope) verdict {
	src := s.list[i]
	if e.epoch < src.epoch || e.epoch == src.epoch && e.seq <= src.seq {
		return verdict{stale: true}
	}
	// A new numbering has begun after what came before it, so all of it has been sent here.
	v := verdict{missed: max(e.seq, 1) - 1}
	if e.epoch == src.epoch {
		v.missed = e.seq - src.seq - 1
	}
	src.peer.heardOf(e.serial)
	src.epoch, src.seq = e.epoch, e.seq
	copy(s.list[1:i+1], s.list[:i])
	s.list[0] = src
	return v
}
