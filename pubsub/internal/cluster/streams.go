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

type stream struct{ epoch, seq uint64 }

// next numbers a message. A stream that is used keeps its place; those that are not
// go after maxStreams others have come.
func (s *streams) next(channel string) (epoch, seq uint64) {
	st := s.young[channel]
	if st == nil {
		if st = s.old[channel]; st == nil {
			s.epoch++
			st = &stream{epoch: s.epoch}
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
	return st.epoch, st.seq
}

// maxSources bounds how many publishers a channel is followed for. Beyond that the
// one that was silent longest is forgotten: what it repeats would be taken again.
const maxSources = 256

// sources is how far a channel has been received from each publisher.
type sources struct {
	mu   sync.Mutex
	list []source // the one heard last comes first
}

type source struct {
	boot       uint64
	epoch, seq uint64
}

// verdict is what to do with a message.
type verdict struct {
	stale  bool   // it came already, or too late
	missed uint64 // how many before it did not come
}

func (s *sources) take(boot, epoch, seq uint64) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.list {
		if s.list[i].boot != boot {
			continue
		}
		src := s.list[i]
		if epoch < src.epoch || epoch == src.epoch && seq <= src.seq {
			return verdict{stale: true}
		}
		var v verdict
		if epoch == src.epoch {
			v.missed = seq - src.seq - 1
		}
		copy(s.list[1:i+1], s.list[:i])
		s.list[0] = source{boot, epoch, seq}
		return v
	}
	if len(s.list) < maxSources {
		s.list = append(s.list, source{})
	}
	copy(s.list[1:], s.list)
	s.list[0] = source{boot, epoch, seq}
	return verdict{}
}
