package bennu

import "sync"

// late counts the callbacks and goroutines of Channel.Go that run on after the end of their
// channel. There is one for each connection and one for each topic pattern. Its lock may be taken
// while that of a channel is held.
type late struct {
	mu     sync.Mutex
	n      int            // the sum of topics
	topics map[string]int // by topic; nil while there are none
}

// add adds n, which may be negative, to the count of a topic.
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

// full reports whether a join of a topic must be refused. If bound callbacks or more run on, that
// is so for the topics of these callbacks; if bound+more run on, for all topics.
func (l *late) full(topic string, bound, more int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n >= bound && (l.topics[topic] > 0 || l.n-bound >= more)
}

// countLate adds n to the counts of the channel's connection and pattern.
func (c *Channel) countLate(n int) {
	if n == 0 {
		return
	}
	c.socket.late.add(c.topic, n)
	if r := c.socket.handler.route(c.topic); r != nil {
		r.late.add(c.topic, n)
	}
}
