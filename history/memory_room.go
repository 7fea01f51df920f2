package history

import (
	"sync"
	"sync/atomic"
	"time"
)

// memoryRoom counts the memory of a store, over all shards, so that one large topic may use what others
// do not need.
type memoryRoom struct {
	most   int64
	used   atomic.Int64
	logs   atomic.Int64
	making sync.Mutex // held while room is made
	forgot func(topic string, entries int)
}

// charge counts what a log has grown or shrunk.
func (r *memoryRoom) charge(l *memoryLog) {
	if l.charged == 0 {
		r.logs.Add(1)
	}
	if grown := l.size - l.charged; grown != 0 {
		r.used.Add(grown)
		l.charged = l.size
	}
}

// full reports whether something must be forgotten.
func (r *memoryRoom) full() bool { return r.used.Load() > r.most }

// makeRoom forgets the logs that were used least lately, until the rest fits. Of a log that is the
// only one it forgets the oldest entries.
func (s *memory) makeRoom() {
	s.room.making.Lock()
	defer s.room.making.Unlock()
	for s.room.full() {
		sh := s.stalest()
		if sh == nil {
			return
		}
		sh.mu.Lock()
		l := sh.uses.oldest
		if l == nil { // the last one was removed meanwhile
			sh.mu.Unlock()
			continue
		}
		if s.room.logs.Load() == 1 {
			l.shrink(&s.room)
			sh.mu.Unlock()
			return
		}
		entries := l.entries.len()
		sh.remove(l, &s.room)
		sh.mu.Unlock()
		s.room.forgot(l.name, entries)
	}
}

// stalest returns the shard of the log that was used least lately, or nil if there is none.
func (s *memory) stalest() (found *memoryShard) {
	var least time.Duration
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		if l := sh.uses.oldest; l != nil && (found == nil || l.used < least) {
			found, least = sh, l.used
		}
		sh.mu.Unlock()
	}
	return found
}

// shrink drops the oldest entries, and then keys, until the log fits.
func (l *memoryLog) shrink(room *memoryRoom) {
	for ; room.full() && l.entries.len() > 1; room.charge(l) {
		l.dropTo(1)
	}
	for ; room.full() && l.doubles.order.len() > 0; room.charge(l) {
		l.size -= l.doubles.forgetKey()
	}
}

// remove forgets a log. Its next entry begins an epoch, so clients that come back are told that they have
// lost their place.
func (sh *memoryShard) remove(l *memoryLog, room *memoryRoom) {
	delete(sh.logs, l.name)
	sh.uses.unlink(l)
	room.used.Add(-l.charged)
	room.logs.Add(-1)
}

// tidy drops what is too old in one more log of the shard, so that a topic to which nobody appends
// any more does not keep its messages in memory. A log that was not used for a day, nor for ten
// times the age that is kept, is forgotten.
func (sh *memoryShard) tidy(now time.Duration, room *memoryRoom) {
	l := sh.uses.next()
	// Heads counts as a use, so a topic that a node follows is not forgotten.
	if unused := now - l.used; unused > 24*time.Hour && unused/10 > l.age {
		sh.remove(l, room)
		return
	}
	l.size -= l.doubles.expire(now)
	for l.entries.len() > 0 && now-l.entries.at(0).at > l.age {
		l.dropTo(1)
	}
	room.charge(l)
}

// memoryUses is the list of the logs of a shard in the order of their last uses. It has one at least
// whenever next is called.
type memoryUses struct {
	newest, oldest *memoryLog
	cursor         *memoryLog // for next
}

// use moves a log to the front, or puts a new one there.
func (u *memoryUses) use(l *memoryLog, now time.Duration) {
	l.used = now
	if u.newest == l {
		return
	}
	u.unlink(l)
	l.older = u.newest
	if u.newest != nil {
		u.newest.newer = l
	}
	u.newest = l
	if u.oldest == nil {
		u.oldest = l
	}
}

// unlink takes a log out of the list, if it is there.
func (u *memoryUses) unlink(l *memoryLog) {
	if u.cursor == l {
		u.cursor = l.newer
	}
	if l.newer != nil {
		l.newer.older = l.older
	} else if u.newest == l {
		u.newest = l.older
	}
	if l.older != nil {
		l.older.newer = l.newer
	} else if u.oldest == l {
		u.oldest = l.newer
	}
	l.newer, l.older = nil, nil
}

// next returns one log after the other, from the oldest to the newest and again.
func (u *memoryUses) next() *memoryLog {
	l := u.cursor
	if l == nil {
		l = u.oldest
	}
	u.cursor = l.newer
	return l
}
