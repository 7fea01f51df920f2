package history

import (
	"sort"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/follow"
)

// memoryLog is the log of one topic in a memory store. The lock of its shard guards it.
type memoryLog struct {
	name    string
	epoch   string
	head    uint64 // newest offset
	entries deque[memoryEntry]
	written uint64 // bytes of the payloads of all entries of the epoch
	doubles doubles
	age     time.Duration // of the last append
	size    int64         // bytes of memory, about
	charged int64         // the size that the room of the store has counted

	used         time.Duration // time of the last use
	newer, older *memoryLog    // in the order of their uses
}

// memoryEntry is an entry of a log. Its offset follows from its place in the list.
type memoryEntry struct {
	payload     []byte
	event, from string
	boot        string
	number      uint64
	at          time.Duration
	end         uint64 // memoryLog.written with this entry
	binary      bool
}

// Sizes of what the store has beside texts and payloads, about.
const (
	logSize   = 512
	entrySize = 128
	keySize   = 192
)

// size is the memory of an entry, about.
func (e *memoryEntry) size() int64 {
	return int64(entrySize + len(e.payload) + len(e.event) + len(e.from))
}

// newMemoryLog returns an empty log of a new epoch.
func newMemoryLog(topic string) *memoryLog {
	topic = strings.Clone(topic) // it may share the memory of a larger string
	return &memoryLog{name: topic, epoch: follow.NewEpoch(), size: int64(logSize + len(topic))}
}

// place returns the newest place. It is zero for a topic without a log.
func (l *memoryLog) place() Head {
	if l == nil {
		return Head{}
	}
	return Head{Epoch: l.epoch, Offset: l.head}
}

// base returns the Prev of the oldest entry, or the head if there is none.
func (l *memoryLog) base() uint64 { return l.head - uint64(l.entries.len()) }

// append adds an entry that is not doubled.
func (l *memoryLog) append(e *Entry, o *AppendOptions, now time.Duration) Place {
	l.written += uint64(len(e.Payload))
	l.entries.push(memoryEntry{
		payload: e.Payload, event: l.event(e.Event), from: e.From, binary: e.Binary,
		boot: e.Boot, number: e.Number, at: now, end: l.written,
	})
	l.size += l.entries.at(l.entries.len() - 1).size()
	l.head++
	l.age = o.Keep.Age
	place := Place{Epoch: l.epoch, Offset: l.head, Prev: l.head - 1}
	l.size += l.doubles.add(e, o.Key, place, now)
	l.dropTo(l.firstKept(&o.Keep, now))
	return place
}

// event returns a text of an event that shares no memory but that of the entry before, usually with
// the same event.
func (l *memoryLog) event(name string) string {
	if n := l.entries.len(); n > 0 && l.entries.at(n-1).event == name {
		return l.entries.at(n - 1).event
	}
	return strings.Clone(name)
}

// firstKept returns the index of the first entry that is within the bounds. Both age and sum of bytes
// fall from one entry to the next, so it can be searched for. A read must not drop entries, since it may
// have narrower bounds than the next.
func (l *memoryLog) firstKept(k *Keep, now time.Duration) int {
	n := l.entries.len()
	first := max(0, n-k.Size)
	within := func(i int) bool {
		e := l.entries.at(i)
		return now-e.at <= k.Age && l.written-(e.end-uint64(len(e.payload))) <= uint64(k.Bytes)
	}
	if first == n || within(first) {
		return first
	}
	// Usually few entries are beyond the bounds.
	if first+1 == n || within(first+1) {
		return first + 1
	}
	return first + sort.Search(n-first, func(i int) bool { return within(first + i) })
}

// dropTo drops the entries before an index.
func (l *memoryLog) dropTo(index int) {
	for range index {
		e := l.entries.pop()
		l.size -= e.size()
	}
}

// doubled looks for an earlier append of the same entry. If it finds one whose place is not known any
// more, found is true and the error is ErrUnknown.
func (l *memoryLog) doubled(e *Entry, key string, now time.Duration) (place Place, found bool, err error) {
	l.size -= l.doubles.expire(now)
	place, found = l.doubles.find(e, key)
	switch {
	case !found:
		return Place{}, false, nil
	case place.Offset == 0:
		if place = l.findNumber(e); place.Offset == 0 {
			return Place{}, true, ErrUnknown
		}
	}
	place.Doubled = true
	return place, true, nil
}

// findNumber looks for a kept entry with the number of e. It is for a try that comes after a later
// number was appended, which the publisher of this package never makes, so it may take time.
func (l *memoryLog) findNumber(e *Entry) Place {
	for i := l.entries.len() - 1; i >= 0; i-- {
		if known := l.entries.at(i); known.number == e.Number && known.boot == e.Boot {
			prev := l.base() + uint64(i)
			return Place{Epoch: l.epoch, Offset: prev + 1, Prev: prev}
		}
	}
	return Place{}
}

// rotate begins a new epoch, whose offsets begin with 1 again. Numbers and keys stay known.
func (l *memoryLog) rotate() {
	l.dropTo(l.entries.len())
	l.epoch, l.head, l.written = follow.NewEpoch(), 0, 0
}

// read returns entries. began is the zero of their times.
func (l *memoryLog) read(after uint64, o *ReadOptions, now time.Duration, began time.Time) Piece {
	first := l.firstKept(&o.Keep, now)
	base := l.base()
	p := Piece{Head: l.place(), Oldest: base + uint64(first)}
	from, to := first, l.entries.len()
	if o.Newest {
		p.Known = true
		if o.Before > 0 && o.Before <= l.head {
			to = max(first, int(o.Before-1-min(base, o.Before-1)))
		}
		from = l.fitBack(first, to, o)
		p.More = from > first
	} else {
		p.Known = after >= p.Oldest && after <= l.head
		if !p.Known {
			return p
		}
		from = int(after - base)
		to = l.fit(from, to, o)
		p.More = to < l.entries.len()
	}
	p.Entries = make([]Entry, to-from)
	for i := range p.Entries {
		l.fill(&p.Entries[i], from+i, began)
	}
	return p
}

// fit returns how far a piece that begins at an index can go.
func (l *memoryLog) fit(from, to int, o *ReadOptions) int {
	bytes, i := 0, from
	for ; i < to && i-from < o.Entries; i++ {
		bytes += len(l.entries.at(i).payload)
		if bytes > o.Bytes && i > from {
			break
		}
	}
	return i
}

// fitBack returns where a piece that ends before an index can begin.
func (l *memoryLog) fitBack(first, to int, o *ReadOptions) int {
	bytes, i := 0, to
	for ; i > first && to-i < o.Entries; i-- {
		bytes += len(l.entries.at(i - 1).payload)
		if bytes > o.Bytes && i < to {
			break
		}
	}
	return i
}

// fill sets e to the entry of an index. The payload is shared: nobody changes it.
func (l *memoryLog) fill(e *Entry, i int, began time.Time) {
	k := l.entries.at(i)
	prev := l.base() + uint64(i)
	*e = Entry{
		Event: k.event, Payload: k.payload, Binary: k.binary, From: k.from, Boot: k.boot, Number: k.number,
		Place: Place{Epoch: l.epoch, Offset: prev + 1, Prev: prev}, Time: began.Add(k.at),
	}
}
