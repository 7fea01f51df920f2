package history

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// memoryShards is the number of locks over which the topics of a memory store are spread, a power of
// two.
const memoryShards = 64

// memory is the default Store. It keeps the logs of one node in its memory, with the offsets 1, 2, 3
// and so on in each epoch. Nothing of it waits, so it does not look at its contexts.
type memory struct {
	began  time.Time // the zero of the times in it
	seed   maphash.Seed
	shards [memoryShards]memoryShard
	closed atomic.Bool
	room   memoryRoom
}

// memoryShard has the logs of one lock.
type memoryShard struct {
	mu   sync.Mutex
	logs map[string]*memoryLog
	uses memoryUses
}

// newMemory returns a store of at most so many bytes. It calls forgot without a lock when it has
// forgotten a topic for want of room.
func newMemory(most int, forgot func(topic string, entries int)) *memory {
	s := &memory{began: time.Now(), seed: maphash.MakeSeed()}
	s.room.most, s.room.forgot = int64(most), forgot
	for i := range s.shards {
		s.shards[i].logs = make(map[string]*memoryLog)
	}
	return s
}

// shard returns the shard of a topic.
func (s *memory) shard(topic string) *memoryShard {
	return &s.shards[maphash.String(s.seed, topic)&(memoryShards-1)]
}

// now returns the time since the store was made. It never goes back, whatever is done to the clock of
// the machine, so entries are in the order of their times.
func (s *memory) now() time.Duration { return time.Since(s.began) }

// Append implements Store.
func (s *memory) Append(_ context.Context, topic string, e *Entry, o *AppendOptions) (Place, error) {
	if s.closed.Load() {
		return Place{}, errClosed
	}
	now := s.now()
	sh := s.shard(topic)
	sh.mu.Lock()
	place, err := sh.append(topic, e, o, now, &s.room)
	sh.mu.Unlock()
	if s.room.full() {
		s.makeRoom() // takes the locks of all shards in turn
	}
	return place, err
}

// append is Append under the lock. A refused append neither makes a log nor counts as a use.
func (sh *memoryShard) append(topic string, e *Entry, o *AppendOptions, now time.Duration, room *memoryRoom) (Place, error) {
	l := sh.logs[topic]
	if l != nil {
		if place, doubled, err := l.doubled(e, o.Key, now); doubled {
			return place, err
		}
	}
	if head := l.place(); o.After != nil && *o.After != head {
		return Place{}, &Conflict{offsetOf(head)}
	}
	if l == nil {
		l = sh.begin(topic, room)
	}
	sh.uses.use(l, now)
	place := l.append(e, o, now)
	room.charge(l)
	sh.tidy(now, room)
	return place, nil
}

// Read implements Store.
func (s *memory) Read(_ context.Context, topic string, after uint64, o *ReadOptions) (Piece, error) {
	if s.closed.Load() {
		return Piece{}, errClosed
	}
	now := s.now()
	sh := s.shard(topic)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l := sh.logs[topic]
	if l == nil {
		return Piece{Known: after == 0 || o.Newest}, nil
	}
	sh.uses.use(l, now)
	return l.read(after, o, now, s.began), nil
}

// Heads implements Store. It counts as a use of the topics, so those that are followed are forgotten last.
func (s *memory) Heads(_ context.Context, topics []string) ([]Head, error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	now := s.now()
	heads := make([]Head, len(topics))
	for i, topic := range topics {
		sh := s.shard(topic)
		sh.mu.Lock()
		if l := sh.logs[topic]; l != nil {
			sh.uses.use(l, now)
			heads[i] = l.place()
		}
		sh.mu.Unlock()
	}
	return heads, nil
}

// Rotate implements Store. With the epoch "" it begins the log of a topic that has none, which makes room as an
// append does.
func (s *memory) Rotate(_ context.Context, topic, epoch string) error {
	if s.closed.Load() {
		return errClosed
	}
	sh := s.shard(topic)
	sh.mu.Lock()
	switch l := sh.logs[topic]; {
	case l == nil && epoch == "":
		l = sh.begin(topic, &s.room)
		sh.uses.use(l, s.now())
	case l != nil && l.epoch == epoch:
		sh.uses.use(l, s.now())
		l.rotate()
		s.room.charge(l)
	}
	sh.mu.Unlock()
	if s.room.full() {
		s.makeRoom()
	}
	return nil
}

// begin makes the log of a topic.
func (sh *memoryShard) begin(topic string, room *memoryRoom) *memoryLog {
	l := newMemoryLog(topic)
	sh.logs[l.name] = l
	room.charge(l)
	return l
}

// Close implements Store. It lets go of all memory at once, though the endpoint may still have the Log.
func (s *memory) Close(context.Context) error {
	// A call that has passed the look at closed may still make a log, which then stays until the store
	// itself is garbage.
	s.closed.Store(true)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for topic, l := range sh.logs {
			sh.remove(l, &s.room)
			delete(sh.logs, topic)
		}
		sh.mu.Unlock()
	}
	return nil
}

var errClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)
