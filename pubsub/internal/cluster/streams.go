package cluster

import "sync"

// maxStreams is half the number of channels for which a publisher remembers its numbers. When it has
// forgotten a channel, it starts a new numbering with a higher epoch.
const maxStreams = 32 << 10

// streams numbers the messages of this node on each channel. The lock of the outbox guards it.
type streams struct {
	young, old map[string]*stream // two generations; used streams move to young
	epoch      uint64             // of the newest stream
}

// stream is the numbering of a channel: seq counts its messages.
type stream struct {
	channel    string
	epoch, seq uint64
}

// next numbers a message and returns its stream. A stream is forgotten if it is not used until
// maxStreams others were.
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

// maxSources bounds the publishers of a channel whose numbers are remembered. Above it, a publisher that
// is gone is forgotten, or else the one that was silent longest. If its messages are published
// again, they are accepted again, unless they are older than the interest.
const maxSources = 1024

// sources are the last received numbers of the publishers of a channel.
type sources struct {
	mu   sync.Mutex
	list []source // the one that was heard last comes first
}

// source is the last number of one publisher.
type source struct {
	boot       uint64
	peer       *peer
	epoch, seq uint64
}

// verdict says what to do with a message.
type verdict struct {
	unknown bool   // the publisher is not in the list; nothing was noted
	stale   bool   // it arrived twice or too late
	missed  uint64 // number of missing messages before it
}

// take notes a message of a publisher in the list, which was received in an era of peers.
func (s *sources) take(e *envelope, era uint64) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(e.boot)
	if i < 0 || s.list[i].peer.away(era) {
		return verdict{unknown: true}
	}
	return s.advance(i, e)
}

// begin adds a publisher to the list with its message. Messages up to floor are older than the interest
// in the channel.
func (s *sources) begin(p *peer, e *envelope, floor uint64) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(e.boot); i >= 0 { // it was given up and is back
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

// find returns the index of a boot, or -1.
func (s *sources) find(boot uint64) int {
	for i := range s.list {
		if s.list[i].boot == boot {
			return i
		}
	}
	return -1
}

// advance notes the number of a message.
func (s *sources) advance(i int, e *envelope) verdict {
	src := s.list[i]
	if e.epoch < src.epoch || e.epoch == src.epoch && e.seq <= src.seq {
		return verdict{stale: true}
	}
	// A new numbering starts after all messages of the one before, so it was sent here from its
	// first message on.
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
