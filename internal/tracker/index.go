package tracker

import "hash/maphash"

// An index is a hash table that finds the visible entries of a key of a topic. Its chains link the
// entries themselves, which takes 24 bytes an entry; a map of lists would take a hundred. The order of
// the entries of a key does not depend on the seed.
type index struct {
	seed    maphash.Seed
	buckets []*Entry // heads of chains; their number is a power of two
	n       int      // number of entries
}

const minBuckets = 8

func newIndex() index {
	return index{seed: maphash.MakeSeed(), buckets: make([]*Entry, minBuckets)}
}

// hash uses a random seed, so that clients that choose their keys cannot fill one bucket.
func (x *index) hash(name string) uint64 { return maphash.String(x.seed, name) }

// bucket returns the head of the chain for a key of a topic.
func (x *index) bucket(t *topic, key string) *(*Entry) {
	h := (t.hash ^ x.hash(key)) * 0x9e3779b97f4a7c15
	return &x.buckets[(h>>32)&uint64(len(x.buckets)-1)]
}

// first returns the head of the chain that has all entries of the key, and possibly others.
func (x *index) first(t *topic, key string) *Entry { return *x.bucket(t, key) }

// add adds an entry, and doubles the buckets if there are more entries than buckets.
func (x *index) add(e *Entry) {
	if x.n++; x.n > len(x.buckets) {
		x.resize(2 * len(x.buckets))
	}
	x.push(e)
}

func (x *index) push(e *Entry) {
	head := x.bucket(e.topic, e.Key())
	e.prevInKey, e.nextInKey = nil, *head
	if *head != nil {
		(*head).prevInKey = e
	}
	*head = e
}

// remove removes an entry, and shrinks the buckets if few entries are left.
func (x *index) remove(e *Entry) {
	if e.prevInKey != nil {
		e.prevInKey.nextInKey = e.nextInKey
	} else {
		*x.bucket(e.topic, e.Key()) = e.nextInKey
	}
	if e.nextInKey != nil {
		e.nextInKey.prevInKey = e.prevInKey
	}
	e.nextInKey, e.prevInKey = nil, nil
	if x.n--; x.n < len(x.buckets)/8 && len(x.buckets) > minBuckets {
		x.resize(len(x.buckets) / 4)
	}
}

func (x *index) resize(n int) {
	old := x.buckets
	x.buckets = make([]*Entry, max(n, minBuckets))
	for _, e := range old {
		for e != nil {
			next := e.nextInKey
			x.push(e)
			e = next
		}
	}
}
