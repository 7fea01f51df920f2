package history

import (
	"slices"
	"time"
)

// mostBoots bounds the publishing nodes whose numbers a log remembers.
const mostBoots = 64

// doubles remembers what was appended to a log, so that a memory store takes it once.
type doubles struct {
	boots []lastNumber // the one that has appended last is at the end
	keys  map[string]Place
	order deque[usedKey] // the keys by time
}

// lastNumber is the last number of a boot, and its place.
type lastNumber struct {
	boot   string
	number uint64
	place  Place
}

// usedKey is a key and the time of its append.
type usedKey struct {
	key string
	at  time.Duration
}

// size is the memory of a key, in the map and in the order, about.
func (k *usedKey) size() int64 { return int64(keySize + len(k.key)) }

// find reports whether an entry was appended before. The place is zero if only an entry with that
// number or less is known.
func (d *doubles) find(e *Entry, key string) (place Place, found bool) {
	// The number is looked for first: a second try of an append must find the first try, whatever its
	// key was used for before.
	if e.Number > 0 {
		for i := range d.boots {
			if b := &d.boots[i]; b.boot == e.Boot && e.Number <= b.number {
				if e.Number == b.number {
					return b.place, true
				}
				return Place{}, true
			}
		}
	}
	if key != "" {
		place, found = d.keys[key]
	}
	return place, found
}

// add remembers an entry. It returns how much memory that takes.
func (d *doubles) add(e *Entry, key string, place Place, now time.Duration) (size int64) {
	if e.Number > 0 {
		d.addNumber(lastNumber{e.Boot, e.Number, place})
	}
	if key == "" {
		return 0
	}
	if d.keys == nil {
		d.keys = make(map[string]Place)
	}
	d.keys[key] = place
	used := usedKey{key, now}
	d.order.push(used)
	return used.size()
}

// addNumber makes n the last number of its boot. Usually one boot appends again and again, and is at the
// end already.
func (d *doubles) addNumber(n lastNumber) {
	last := len(d.boots) - 1
	if last >= 0 && d.boots[last].boot == n.boot {
		d.boots[last] = n
		return
	}
	d.boots = slices.DeleteFunc(d.boots, func(b lastNumber) bool { return b.boot == n.boot })
	if len(d.boots) == mostBoots {
		d.boots = slices.Delete(d.boots, 0, 1)
	}
	d.boots = append(d.boots, n)
}

// expire forgets keys that are older than KeyTime. It returns how much memory that frees.
func (d *doubles) expire(now time.Duration) (size int64) {
	for d.order.len() > 0 && now-d.order.at(0).at > KeyTime {
		size += d.forgetKey()
	}
	return size
}

// forgetKey forgets the oldest key.
func (d *doubles) forgetKey() (size int64) {
	k := d.order.pop()
	delete(d.keys, k.key)
	if d.order.len() == 0 {
		d.keys = nil // a map keeps the memory of its largest size
	}
	return k.size()
}
