package bennu

import (
	"fmt"
	"strconv"
	"sync"
)

// lingering is the set of channels that have ended while one of their callbacks still runs, and of
// renewals that have outlived their connection. Shutdown waits for them and can name their topics.
type lingering struct {
	mu  sync.Mutex
	set map[any]string // the topic, by *Channel or *renewal
}

func (l *lingering) add(who any, topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.set == nil {
		l.set = make(map[any]string)
	}
	l.set[who] = topic
}

func (l *lingering) remove(who any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.set, who)
}

func (l *lingering) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.set)
}

// topics returns the topics of up to n of them, quoted since a client chose them.
func (l *lingering) topics(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, topic := range l.set {
		if len(names) == n {
			return append(names, fmt.Sprintf("and %d more", len(l.set)-n))
		}
		names = append(names, strconv.Quote(topic))
	}
	return names
}
