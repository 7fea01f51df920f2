package bennu

// SetFencing switches the fence of joins, for the test that shows what it is for.
func SetFencing(on bool) { fencing = on }

// SinceOf is sinceOf: what the payload of a join says under a name. kind is "none", "new", "at" or
// "invalid".
func SinceOf(p Payload, param string) (kind, at string, inPayload bool) {
	s := sinceOf(p, param)
	return [...]string{"none", "new", "at", "invalid"}[s.kind], offsetOf(s.at).String(), s.inPayload
}

// SetBehind makes a channel that has joined fall behind, and starts no reader.
func SetBehind(c *Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setBehindLocked(true)
}

// GoLive is the last step of a reader, which has found no entry after the place of the channel. It
// reports whether the channel is live.
func GoLive(c *Channel) bool { return c.goLive(c.lastPlace(), 0) }

// ReadOn starts a reader for a channel that has fallen behind.
func ReadOn(c *Channel) { c.socket.replays().add(c) }

// HandsWaiting returns the number of channels of the connection that wait until handlers give their
// entries back.
func HandsWaiting(s *Socket) int {
	r := s.replays()
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.hands.waiting)
}
