package cluster

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"sync"

	"github.com/bennu-go/bennu/pubsub"
)

// kind is the kind of an envelope: a message of a topic, or control.
type kind byte

const (
	kindText       kind = iota + 1 // a message of a topic
	kindBinary                     // the same with a binary payload
	kindHello                      // control: a node has started or is back, and asks all for an answer
	kindBeat                       // control: a node is alive; to an inbox: the answer to a hello or ask
	kindBye                        // control: a node stops
	kindAsk                        // control, or to an inbox: asks one boot for an answer
	kindSync                       // control: asks for a synced when it arrives
	kindSynced                     // to an inbox: the answer to a sync
	kindKeptText                   // a message of a topic, with a place
	kindKeptBinary                 // the same with a binary payload
)

const (
	magic   = "bn"
	version = 2
	// headerBytes is the size of magic, version, kind and boot, and macBytes that of the
	// signature at the end, if there is a secret.
	headerBytes = 2 + 1 + 1 + 8
	macBytes    = 16
	// controlBytes is the size of flags and numbers in a control envelope.
	controlBytes = 1 + 8*8
	// MaxName bounds the name of a node.
	MaxName = 128
	// maxTopic and maxEvent bound topic and event of a message, in bytes.
	maxTopic = 1<<16 - 1
	maxEvent = 1<<10 - 1
	// maxEpoch and maxFrom bound the strings of a place.
	maxEpoch = 8
	maxFrom  = 64
)

// envelope is the unit that nodes send over the broker.
type envelope struct {
	kind   kind
	boot   uint64 // of the sender
	serial uint64 // number of messages that the sender has published, this one included

	// Of a message.
	epoch, seq uint64 // its number on its channel; see streams
	message    pubsub.Message

	// Of control.
	node    string // name of the sender
	server  string // the server of the broker to which it is connected
	holds   bool   // the sender has established that its name is its own
	number  uint64 // number of the control envelope among those of the sender
	started uint64 // start of the sender, in nanoseconds since 1970
	nodes   uint64 // number of other nodes that it knows
	before  uint64 // its serial age milliseconds ago
	age     uint64
	about   uint64 // of a beat: the answered number; of an ask: the asked boot; of sync and synced: the number of the sync
	ask     uint64 // a number to answer, or 0
}

// errGarbage means data that is no envelope.
var errGarbage = errors.New("what came from the broker is no message of this cluster")

// codec encodes and decodes envelopes. With a secret, each has a signature over itself and its
// channel, and one without is garbage.
type codec struct {
	macs *sync.Pool // of hash.Hash; nil without a secret
}

// newCodec returns a codec; the secret may be empty.
func newCodec(secret []byte) codec {
	if len(secret) == 0 {
		return codec{}
	}
	key := sha256.Sum256(append([]byte("bennu pubsub\x00"), secret...))
	return codec{macs: &sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}}
}

// overhead returns the size of the signature.
func (c codec) overhead() int {
	if c.macs == nil {
		return 0
	}
	return macBytes
}

// mac appends the signature of data on a channel.
func (c codec) mac(b []byte, channel string, data []byte) []byte {
	h := c.macs.Get().(hash.Hash)
	defer c.macs.Put(h)
	h.Reset()
	h.Write(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(channel)), uint32(len(channel))))
	h.Write([]byte(channel))
	h.Write(data)
	var sum [sha256.Size]byte
	return append(b, h.Sum(sum[:0])[:macBytes]...)
}

// messageKind returns the kind of the envelope for a message.
func messageKind(m *pubsub.Message) kind {
	switch {
	case m.Place != nil && m.Binary:
		return kindKeptBinary
	case m.Place != nil:
		return kindKeptText
	case m.Binary:
		return kindBinary
	}
	return kindText
}

// isMessage reports whether envelopes of the kind have a message of a topic.
func (k kind) isMessage() bool { return k == kindText || k == kindBinary || k.hasPlace() }

// hasPlace reports whether the message in the envelope has a place.
func (k kind) hasPlace() bool { return k == kindKeptText || k == kindKeptBinary }

// size bounds the length of the encoded envelope.
func (c codec) size(e *envelope) int {
	if !e.kind.isMessage() {
		return headerBytes + 2 + len(e.node) + 2 + len(e.server) + controlBytes + c.overhead()
	}
	m := &e.message
	place := 0
	if m.Place != nil {
		place = 2*binary.MaxVarintLen64 + 2 + len(m.Place.Epoch) + len(m.Place.From)
	}
	return headerBytes + place + 3*binary.MaxVarintLen64 + 2*binary.MaxVarintLen32 + len(m.Topic) + len(m.Event) + len(m.Payload) + c.overhead()
}

// encode returns the encoded envelope.
func (c codec) encode(channel string, e *envelope) []byte {
	b := make([]byte, 0, c.size(e))
	b = append(b, magic...)
	b = append(b, version, byte(e.kind))
	b = binary.BigEndian.AppendUint64(b, e.boot)
	if e.kind.isMessage() {
		b = binary.AppendUvarint(b, e.serial)
		b = binary.AppendUvarint(b, e.epoch)
		b = binary.AppendUvarint(b, e.seq)
		if e.kind.hasPlace() {
			b = appendPlace(b, e.message.Place)
		}
		b = appendString(b, e.message.Topic)
		b = appendString(b, e.message.Event)
		b = append(b, e.message.Payload...)
	} else {
		b = appendString(b, e.node)
		b = appendString(b, e.server)
		var flags byte
		if e.holds {
			flags = 1
		}
		b = append(b, flags)
		for _, v := range [...]uint64{e.serial, e.number, e.started, e.nodes, e.before, e.age, e.about, e.ask} {
			b = binary.BigEndian.AppendUint64(b, v)
		}
	}
	if c.macs != nil {
		b = c.mac(b, channel, b)
	}
	return b
}

func appendPlace(b []byte, p *pubsub.Place) []byte {
	b = appendString(b, p.Epoch)
	b = binary.AppendUvarint(b, p.Offset)
	b = binary.AppendUvarint(b, p.Prev)
	return appendString(b, p.From)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads an envelope. The payload shares the memory of data; everything else is copied.
func (c codec) decode(channel string, data []byte) (e envelope, err error) {
	if len(data) < headerBytes+c.overhead() || string(data[:2]) != magic || data[2] != version {
		return e, errGarbage
	}
	if c.macs != nil {
		var sum [macBytes]byte
		code := data[len(data)-macBytes:]
		data = data[:len(data)-macBytes]
		if !hmac.Equal(c.mac(sum[:0], channel, data), code) {
			return e, errGarbage
		}
	}
	e.kind = kind(data[3])
	e.boot = binary.BigEndian.Uint64(data[4:])
	r := reader{b: data[headerBytes:]}
	switch {
	case e.kind.isMessage():
		e.serial, e.epoch, e.seq = r.uvarint(), r.uvarint(), r.uvarint()
		if e.kind.hasPlace() {
			e.message.Place = &pubsub.Place{Epoch: r.string(maxEpoch), Offset: r.uvarint(), Prev: r.uvarint(), From: r.string(maxFrom)}
		}
		e.message.Topic = r.string(maxTopic)
		e.message.Event = r.string(maxEvent)
		e.message.Payload = r.b
		e.message.Binary = e.kind == kindBinary || e.kind == kindKeptBinary
	case kindHello <= e.kind && e.kind <= kindSynced:
		e.node = r.string(MaxName)
		e.server = r.string(maxEvent)
		if r.bad || len(r.b) != controlBytes || r.b[0] > 1 || !validName(e.node, nodeExtra, MaxName) {
			return e, errGarbage
		}
		e.holds = r.b[0] == 1
		for i, v := range [...]*uint64{&e.serial, &e.number, &e.started, &e.nodes, &e.before, &e.age, &e.about, &e.ask} {
			*v = binary.BigEndian.Uint64(r.b[1+8*i:])
		}
	default:
		return e, errGarbage
	}
	if r.bad {
		return e, errGarbage
	}
	return e, nil
}

// bootOf returns the boot in an envelope, or 0, without decoding it: a cheap test for the node's own
// messages.
func bootOf(data []byte) uint64 {
	if len(data) < headerBytes {
		return 0
	}
	return binary.BigEndian.Uint64(data[4:])
}

// otherVersion returns the version of an envelope with another version, or 0.
func otherVersion(data []byte) int {
	if len(data) < headerBytes || string(data[:2]) != magic || data[2] == version {
		return 0
	}
	return int(data[2])
}

// reader reads the parts of an envelope. After an error, bad is set and it returns zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) string(most int) string {
	n := r.uvarint()
	if n > uint64(min(most, len(r.b))) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
