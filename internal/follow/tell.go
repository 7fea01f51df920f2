package follow

import "github.com/bennu-go/bennu/pubsub"

// Tell gives a message that was appended at a place to the subscribers of all nodes. m is copied. The error
// is that of the adapter: this node has taken the message, and others read it from the store.
func (f *Followers) Tell(m *pubsub.Message, place pubsub.Place) error {
	f.mu.RLock()
	t := f.topics[m.Topic]
	f.mu.RUnlock()
	topic := m.Topic
	if t != nil {
		topic = t.name
	}
	r := newRecord(topic, m, &place)
	if t != nil {
		t.telling.Store(r)
	}
	return f.o.PubSub.Broadcast(&r.message)
}

// entryOf returns the entry of a message with a place that arrives. One that Tell has made is used,
// so that there is one copy of the message.
func (f *follower) entryOf(d *pubsub.Dispatch) *Entry {
	r := f.telling.Load()
	if r != nil && &r.message == d.Message && f.telling.CompareAndSwap(r, nil) {
		return &r.Entry
	}
	e := NewEntry(f.name, d.Message, d.Place)
	if d.Remote {
		e = f.checked(e)
	}
	return e
}

// Ask compares the head of a topic with the store now, if the topic has a follower.
func (f *Followers) Ask(topic string) {
	f.mu.RLock()
	t := f.topics[topic]
	f.mu.RUnlock()
	if t != nil {
		t.ask()
	}
}
