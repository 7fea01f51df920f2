package bennu

import (
	"cmp"
	"slices"
)

// findLocked returns the index of a topic in the table, and whether it is there. If it is not, the
// index is where it belongs.
func (s *Socket) findLocked(topic string) (int, bool) {
	return slices.BinarySearchFunc(s.channels, topic, func(c *Channel, topic string) int {
		return cmp.Compare(c.topic, topic)
	})
}

// find returns the channel of a topic, or nil. The channel may have ended meanwhile.
func (s *Socket) find(topic string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.findLocked(topic); ok {
		return s.channels[i]
	}
	return nil
}

// insert puts a channel into the table, in place of an earlier one on the same topic. If the
// connection has ended, it returns the reason.
func (s *Socket) insert(c *Channel) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.reason
	}
	if i, ok := s.findLocked(c.topic); ok {
		s.channels[i] = c
	} else {
		s.channels = slices.Insert(s.channels, i, c)
	}
	return nil
}

// forget removes a channel from the table, unless another channel has taken its place.
func (s *Socket) forget(c *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.findLocked(c.topic); ok && s.channels[i] == c {
		s.channels = slices.Delete(s.channels, i, i+1)
	}
}

// hasRoom reports whether one more topic may be joined. A channel that has ended may stay in the
// table for a moment. It must not count, because its client may have seen the end already.
func (s *Socket) hasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.channels) >= s.handler.limits.Topics {
		s.channels = slices.DeleteFunc(s.channels, (*Channel).isClosed)
	}
	return len(s.channels) < s.handler.limits.Topics
}
