package cluster

import "github.com/bennu-go/bennu/internal/notice"

// refusedTopic is a topic that was refused when the last interest in it ended. It is tried until the broker
// allows it, so that Health shows the problem which the next join would have.
type refusedTopic struct {
	topic, channel string
	cause          error
}

// tryRefused tries whether the broker still refuses lastRefused.
func (n *Node) tryRefused() {
	s := &n.interests
	s.mu.Lock()
	topic, channel := s.lastRefused.topic, s.lastRefused.channel
	if s.table[channel] != nil { // it is wanted again
		s.lastRefused, channel = refusedTopic{}, ""
	}
	s.mu.Unlock()
	if channel == "" || !n.state.up() {
		return
	}
	if n.link.Subscribe(n.ctx, []string{channel}) != nil {
		return
	}
	s.mu.Lock()
	s.lastRefused = refusedTopic{}
	wanted := s.table[channel] != nil
	s.mu.Unlock()
	if !wanted {
		n.book.Say(notice.BrokerTopicBack, notice.Foreign("topic", topic))
		_ = n.link.Unsubscribe([]string{channel})
	}
}
