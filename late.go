package bennu

import "sync"

// late counts the callbacks, and goroutines of Channel.Go, that run on after their channels have
// ended: those of one connection, or of all whose topics match one pattern. Its lock is taken
// under that of a channel.
type late struct {
	mu     sync.Mutex
	n      int
	topics map[string]int // by topic; nil while there are none
}

func (l *late) add(topic string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics == nil {
		l.topics = make(map[string]int)
	}
	l.n += n
	if l.topics[topic] += n; l.topics[topic] == 0 {
		delete(l.topics, topic)
	}
	if l.n == 0 {
		l.topics = nil
	}
}

// full reports whether a topic may not be joined: there are as many as there may be, and the
// topic has one of them. A topic that has none may be joined until there are more besides.
func (l *late) full(topic string, most, more int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n >= most && (l.topics[topic] > 0 || l.n-most >= more)
}

// countLate counts callbacks of the channel.
func (c *Channel) countLate(n int) {
	if n == 0 {
		return
	}
	c.socket.late.add(c.topic, n)
	if r := c.socket.handler.route(c.topic); r != nil {
		r.late.add(c.topic, n)
	}
}
