package bennu

import "slices"

// hands bounds the entries that the handlers of one connection have at the same time. Each channel
// that intercepts looks for itself whether the queue of the connection is low. Without the bound, a
// hundred of them could each find it low and together fill it, and the client would be closed with 1013.
// replays.mu guards the fields.
type hands struct {
	entries, bytes int
	waiting        []*Channel // woken when an entry is given back
}

// take reports whether a handler of the channel may have an entry of so many bytes now: it is the only
// one of the connection, or all of them are at most half of the queue. If it may, giveBack must be
// called. If not, the cursor is posted again later.
func (r *replays) take(c *Channel, bytes int) bool {
	most := r.socket.outbound()
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &r.hands
	if h.entries > 0 && (h.entries >= most.messages/2 || h.bytes > most.bytes/2-bytes) {
		h.waiting = append(h.waiting, c)
		return false
	}
	h.entries++
	h.bytes += bytes
	return true
}

// giveBack undoes take after the handler has returned, or has panicked. No lock is held.
func (r *replays) giveBack(bytes int) {
	r.mu.Lock()
	h := &r.hands
	h.entries--
	h.bytes -= bytes
	waiting := h.waiting
	h.waiting = nil
	r.mu.Unlock()
	for _, c := range waiting {
		c.postCursor()
	}
}

// waitNoMore forgets a channel that ends. Channel.mu is held.
func (r *replays) waitNoMore(c *Channel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.hands.waiting, c); i >= 0 {
		r.hands.waiting = slices.Delete(r.hands.waiting, i, i+1)
	}
}
