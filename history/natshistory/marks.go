package natshistory

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// marks says when this node has marked topics that it follows. A mark is a message at a subject of its own, so
// that the log is not touched; the stream keeps the newest one.
type marks struct {
	mu   sync.Mutex
	seed maphash.Seed
	when map[uint64]time.Time // by the hash of the subject
}

// marksKnown bounds the topics of which a node knows when it has marked them, in about 50 MB. It follows fewer
// at a time: if it followed more, it would mark all of them each time that it asks for their heads.
const marksKnown = 1 << 20

// due reports whether a topic is to be marked, and records it. What it knows of topics is bounded; when
// it is too much, all is forgotten, and each topic is marked once more.
func (m *marks) due(subject string, every time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.when == nil || len(m.when) >= marksKnown {
		m.seed, m.when = maphash.MakeSeed(), make(map[uint64]time.Time)
	}
	hash := maphash.String(m.seed, subject)
	if now := time.Now(); now.Sub(m.when[hash]) > every {
		m.when[hash] = now
		return true
	}
	return false
}

// markAll marks the topics of records, some at once.
func (s *store) markAll(ctx context.Context, list []*record) {
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, getsAtOnce)
	for _, r := range list {
		if s.markDue(r) {
			slots <- struct{}{}
			all.Go(func() { s.mark(ctx, r); <-slots })
		}
	}
}

// markDue reports whether the topic of a record is old, and was not marked lately.
func (s *store) markDue(r *record) bool {
	life := s.lifeOf(r)
	return !r.none() && s.clock.now().Sub(r.time) >= life/2 && s.marks.due(r.subject, life/8)
}

// mark keeps a topic that somebody follows from being forgotten. An error only means that it is marked later.
func (s *store) mark(ctx context.Context, r *record) {
	m := nats.NewMsg(markOf(s.Prefix, r.subject))
	m.Header[nats.MsgRollup] = []string{nats.MsgRollupSubject}
	_, _ = s.publish(ctx, m)
}
