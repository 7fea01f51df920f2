package tracker

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"
)

// A replica identifies one start of one node.
type replica struct {
	// name is the name of the node. Running nodes must have different names.
	name string
	// incarnation grows from start to start of a node; Start uses the time in nanoseconds.
	// The highest incarnation of a name supersedes all others.
	incarnation uint64
}

// An Owner identifies an owner of entries on its node, such as a channel. When it ends, its entries are
// removed together. The caller chooses the numbers.
type Owner uint64

// An Entry is one meta that an owner tracks under a key of a topic. It never changes, and may
// be read by any goroutine at any time; an update makes a new one.
type Entry struct {
	data   string // the key, then the meta: one allocation for both
	topic  *topic
	origin *origin
	owner  Owner
	clock  uint64 // number of the change that made it; unique together with origin
	prev   uint64 // clock of the entry that this one replaced, or 0
	keyLen uint32

	// Only the state uses the fields below, with the lock of its shard held.
	pos                  uint32 // in topic.visible
	nextInKey, prevInKey *Entry // in a bucket of the index, while visible
	nextOfOwner          *Entry // own entries only
	prevOfOwner          *Entry
}

// Topic returns the topic of the entry.
func (e *Entry) Topic() string { return e.topic.name }

// Key returns the key of the entry. Several entries may have the same.
func (e *Entry) Key() string { return e.data[:e.keyLen] }

// Meta returns the bytes that were given to Track or Update.
func (e *Entry) Meta() string { return e.data[e.keyLen:] }

// Node returns the name of the node on which the entry was tracked.
func (e *Entry) Node() string { return e.origin.id.name }

// Ref returns a name of the entry, which is the same on every node and which no other entry ever has: 16
// characters of URL-safe base64, or 22 after the first four billion changes of a replica.
func (e *Entry) Ref() string { return e.origin.ref(e.clock) }

// PrevRef returns the ref of the entry that this one replaced, or "".
func (e *Entry) PrevRef() string {
	if e.prev == 0 {
		return ""
	}
	return e.origin.ref(e.prev)
}

// is reports whether the entry has a topic, owner and key. Owners of different nodes may have
// the same number.
func (e *Entry) is(t *topic, owner Owner, key string) bool {
	return e.owner == owner && e.topic == t && e.Key() == key
}

// A topic is in the map of the state while it has entries, which share its name.
type topic struct {
	name    string
	hash    uint64
	entries int      // number of entries, hidden ones included
	visible []*Entry // of replicas that are up
}

// An origin is a replica and its part of refs. The entries of a replica share one.
type origin struct {
	id          replica
	fingerprint uint64 // the first eight bytes of refs
}

// newOrigin computes the fingerprint of a replica.
func newOrigin(id replica) *origin {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id.name))
	// Incarnations are close to each other; the finalizer of MurmurHash3 spreads them over
	// all bits.
	x := h.Sum64() ^ id.incarnation*0x9e3779b97f4a7c15
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return &origin{id: id, fingerprint: x ^ x>>33}
}

// ref returns the ref of the entry with a clock. It is computed for each call, which saves two strings in
// every entry.
func (o *origin) ref(clock uint64) string {
	var b [16]byte
	raw := binary.BigEndian.AppendUint64(b[:0], o.fingerprint)
	if clock <= math.MaxUint32 {
		raw = binary.BigEndian.AppendUint32(raw, uint32(clock))
	} else {
		raw = binary.BigEndian.AppendUint64(raw, clock)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}
