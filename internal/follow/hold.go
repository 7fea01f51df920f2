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
	if t.started || t.ended || t.first != nil { // the head is known, and the message comes after it
		return nil
	}
	t.holds++
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
	if place != nil && (f.early == nil || f.early.Epoch != place.Epoch || place.Prev < f.early.Offset) {
		f.early = &Position{place.Epoch, place.Prev}
	}
	if f.holds--; f.holds == 0 && f.first != nil && !f.ended {
		f.beginHeld(*f.first)
	}
}

// beginHeld begins with the messages that were published since the first subscription. The caller holds
// f.mu.
func (f *follower) beginHeld(head Position) {
	from := head
	if e := f.early; e != nil && e.Epoch == head.Epoch && e.Offset < head.Offset {
		from = *e
	}
	f.first, f.early = nil, nil
	f.begin(from)
	if f.head < head.Offset {
		f.repairNow(nil)
	}
}
