package natshistory

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// marks says when this node has marked topics that it follows. A mark is a message at a subject of its own, so
// that the log is not touched; the stream keeps the newest one.
type marks struct {
	mu   sync.Mutex
	when map[string]time.Time // by subject
}

// due reports whether a topic is to be marked, and records it. What it knows of topics is bounded; when
// it is too much, all is forgotten, and each topic is marked once more.
func (m *marks) due(subject string, every time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.when[subject]) > every {
		if m.when == nil || len(m.when) >= topicsKnown {
			m.when = make(map[string]time.Time)
		}
		m.when[subject] = now
		return true
	}
	return false
}

// mark keeps a topic that somebody follows from being forgotten, if its newest record is old. An error
// only means that it is marked later.
func (s *store) mark(ctx context.Context, r *record) {
	life := s.lifeOf(r)
	if r.none() || s.clock.now().Sub(r.time) < life/2 || !s.marks.due(r.subject, life/8) {
		return
	}
	m := nats.NewMsg(markOf(s.Prefix, r.subject))
	m.Header[nats.MsgRollup] = []string{nats.MsgRollupSubject}
	_, _ = s.publish(ctx, m)
}
