package pubsub

import "github.com/bennu-go/bennu/internal/reserved"

// group is a Subscriber that counts as any number of subscriptions, also as none.
type group interface {
	// Subscribers is called without a lock of this package.
	Subscribers() int
}

// isGroup reports whether s is a group.
func isGroup(s Subscriber) bool {
	_, ok := s.(group)
	return ok
}

// Topics returns the number of topics with subscriptions on this node.
func (p *PubSub) Topics() int {
	n := 0
	var doubtful [][]group // of topics in which only groups may count
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.RLock()
		for _, t := range s.topics {
			switch {
			case t.name == reserved.Disconnects:
			case len(t.subs) > int(t.groups):
				n++
			case t.groups > 0:
				doubtful = append(doubtful, t.groupsOf())
			}
		}
		s.mu.RUnlock()
	}
	for _, groups := range doubtful {
		if total(groups) > 0 {
			n++
		}
	}
	return n
}

// Subscribers returns the number of subscriptions to a topic on this node. That of a Subscriber with a
// method Subscribers() int counts as many times as it returns, which may be 0.
func (p *PubSub) Subscribers(topic string) int {
	s := p.shard(topic)
	s.mu.RLock()
	t := s.topics[topic]
	if t == nil {
		s.mu.RUnlock()
		return 0
	}
	n, groups := len(t.subs)-int(t.groups), t.groupsOf()
	s.mu.RUnlock()
	return n + total(groups)
}

// groupsOf returns the groups that subscribe to the topic. The caller holds the lock of the shard.
func (t *topic) groupsOf() (list []group) {
	if t.groups == 0 {
		return nil
	}
	for _, sub := range t.subs {
		if g, ok := sub.subscriber.(group); ok {
			list = append(list, g)
		}
	}
	return list
}

// total returns the number of subscriptions of groups.
func total(groups []group) (n int) {
	for _, g := range groups {
		n += g.Subscribers()
	}
	return n
}
