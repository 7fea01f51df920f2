package tracker

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"
)

// A Replica is one start of one node.
type Replica struct {
	// Name is the node's name, unique among those that live.
	Name string
	// Incarnation grows from start to start of a node: the time in nanoseconds
	// will do. The highest one of a name is the one that counts.
	Incarnation uint64
}

// An Owner is what ends the life of entries on its own node: a channel, say. The
// caller numbers them as it likes.
type Owner uint64

// An Entry is one meta that one owner tracks under one key of one topic. It
// never changes: an update makes another. It may be read by any goroutine
// for as long as one likes.
type Entry struct {
	data   string // the key, then the meta: one allocation for both
	topic  *topic
	origin *origin
	owner  Owner
	clock  uint64 // when its replica made it; with origin it is the entry's tag
	prev   uint64 // clock of the entry that it replaced, or 0
	keyLen uint32

	// All below belongs to the State, and no reader may look at it.
	pos                  uint32 // in topic.visible
	nextInKey, prevInKey *Entry // in a bucket of the index, while visible
	nextOfOwner          *Entry // own entries only
	prevOfOwner          *Entry
}

// Topic is the topic the entry belongs to.
func (e *Entry) Topic() string { return e.topic.name }

// Key is what the owner is known by in the topic. Several entries may share one.
func (e *Entry) Key() string { return e.data[:e.keyLen] }

// Meta is what was given to Track or Update, byte for byte.
func (e *Entry) Meta() string { return e.data[e.keyLen:] }

// Owner is the number that the entry's own node gave to its owner.
func (e *Entry) Owner() Owner { return e.owner }

// Replica is where the entry was tracked.
func (e *Entry) Replica() Replica { return e.origin.id }

// Ref names the entry, and no other one of any node at any time. It is the same
// on every node: 16 characters of URL-safe base64, or 22 for a replica's changes
// after the first four billion.
func (e *Entry) Ref() string { return e.origin.ref(e.clock) }

// PrevRef is the Ref of the entry that this one replaced, or "".
func (e *Entry) PrevRef() string {
	if e.prev == 0 {
		return ""
	}
	return e.origin.ref(e.prev)
}

// is reports whether this is the entry of an owner under a key. One node's
// owners are told apart, those of different nodes are not.
func (e *Entry) is(t *topic, owner Owner, key string) bool {
	return e.owner == owner && e.topic == t && e.Key() == key
}

// A topic is in the State's map while any entry belongs to it, so that the
// entries can share its name and find it. Only visible ones are in its list.
type topic struct {
	name    string
	hash    uint64
	entries int // hidden ones too
	visible []*Entry
}

// An origin is what the entries of one replica share.
type origin struct {
	id          Replica
	fingerprint uint64
}

func newOrigin(id Replica) *origin {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id.Name))
	// The finalizer of MurmurHash3 spreads incarnations, which are near each
	// other, over all bits.
	x := h.Sum64() ^ id.Incarnation*0x9e3779b97f4a7c15
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return &origin{id: id, fingerprint: x ^ x>>33}
}

// ref is made when asked for: two strings less to keep for each entry.
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
