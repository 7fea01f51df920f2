package cluster

import "github.com/bennu-go/bennu/internal/notice"

// scar is a topic that was refused when the last interest in it ended. It is tried until the broker
// allows it, so that Health shows the problem which the next join would have.
type scar struct {
	topic, channel string
	cause          error
}

// tryScar tries whether the broker still refuses the scar.
func (n *Node) tryScar() {
	s := &n.interests
	s.mu.Lock()
	topic, channel := s.scar.topic, s.scar.channel
	if s.table[channel] != nil { // it is wanted again
		s.scar, channel = scar{}, ""
	}
	s.mu.Unlock()
	if channel == "" || !n.state.up() {
		return
	}
	if n.link.Subscribe(n.ctx, []string{channel}) != nil {
		return
	}
	s.mu.Lock()
	s.scar = scar{}
	wanted := s.table[channel] != nil
	s.mu.Unlock()
	if !wanted {
		n.book.Say(notice.BrokerTopicBack, notice.Foreign("topic", topic))
		_ = n.link.Unsubscribe([]string{channel})
	}
}
