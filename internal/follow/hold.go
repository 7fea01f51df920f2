package follow

import "github.com/bennu-go/bennu/pubsub"

// Hold keeps a follower from starting while a message of this node is being published. So a subscriber
// gets what its program publishes after Subscribe has returned, though the head of the log, by which the
// follower starts, may be asked for after the append.
type Hold struct{ follower *follower }

// Hold is called before a message of a topic is appended. It returns nil if the topic has no follower,
// or if the follower knows the head by which it starts already: the message comes after that.
func (f *Followers) Hold(topic string) *Hold {
	f.mu.RLock()
	t := f.topics[topic]
	f.mu.RUnlock()
	if t == nil || t.begun.Load() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started || t.ended || t.needStarting().first != nil { // the head is known, and the message comes after it
		return nil
	}
	t.starting.holds++
	return &Hold{t}
}

// Release is called when the message was told, with its place, or was not published. h may be nil.
func (h *Hold) Release(place *pubsub.Place) {
	if h == nil {
		return
	}
	f := h.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.starting
	if s == nil { // the follower has ended
		return
	}
	if place != nil && (s.early == nil || s.early.Epoch != place.Epoch || place.Prev < s.early.Offset) {
		s.early = &Position{place.Epoch, place.Prev}
	}
	if s.holds--; s.holds == 0 && s.first != nil {
		f.beginHeld(*s.first)
	}
}

// beginHeld begins with the messages that were published since the first subscription. The caller holds
// f.mu.
func (f *follower) beginHeld(head Position) {
	from := head
	if s := f.starting; s != nil && s.early != nil && s.early.Epoch == head.Epoch && s.early.Offset < head.Offset {
		from = *s.early
	}
	f.begin(from)
	if f.head < head.Offset {
		f.repairNow(nil)
	}
}
