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

// kind says what an envelope holds.
type kind byte

const (
	kindText   kind = iota + 1 // a message of a topic
	kindBinary                 // the same, its payload binary
	kindHello                  // control: a node has started, or is back; answer
	kindBeat                   // control: a node is there; to an inbox: the answer to hello and ask
	kindBye                    // control: a node stops
	kindAsk                    // control, or to an inbox: one boot of a node is to answer
	kindSync                   // control: answer when this has come
	kindSynced                 // to an inbox: it has
)

const (
	magic   = "bn"
	version = 2
	// headerBytes are magic, version, kind and boot; macBytes the code that follows
	// everything when there is a secret.
	headerBytes = 2 + 1 + 1 + 8
	macBytes    = 16
	// controlBytes follow the names in an envelope of control.
	controlBytes = 1 + 8*8
	// MaxName bounds the name of a node.
	MaxName = 128
	// maxTopic bounds topic and event of a message.
	maxTopic = 1<<16 - 1
	maxEvent = 1<<10 - 1
)

// envelope is what goes over the broker.
type envelope struct {
	kind kind
	boot uint64 // of the sender
	// serial counts the messages that the sender has published, to any channel. That of a
	// message includes it.
	serial uint64

	// Of a message: its numbers on its channel.
	epoch, seq uint64
	message    pubsub.Message

	// Of control.
	node    string // of the sender
	server  string // where it is
	holds   bool   // it has its name for certain
	number  uint64 // counts the envelopes of control of the sender
	started uint64 // when it started, in nanoseconds since 1970
	nodes   uint64 // how many others it knows
	before  uint64 // serial as it was some time ago,
	age     uint64 // so many milliseconds
	about   uint64 // of beat: what is answered; of ask: the boot that is asked; of sync and synced: which
	ask     uint64 // to be answered; 0: nothing
}

// errGarbage means bytes that are no envelope.
var errGarbage = errors.New("what came from the broker is no message of this cluster")

// codec writes and reads envelopes. With a secret each carries a code over
// itself and its channel, and one without is garbage.
type codec struct {
	macs *sync.Pool // of hash.Hash; nil without a secret
}

func newCodec(secret []byte) codec {
	if len(secret) == 0 {
		return codec{}
	}
	key := sha256.Sum256(append([]byte("bennu pubsub\x00"), secret...))
	return codec{macs: &sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}}
}

func (c codec) overhead() int {
	if c.macs == nil {
		return 0
	}
	return macBytes
}

// mac appends the code of data on a channel.
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

func (e *envelope) isMessage() bool { return e.kind == kindText || e.kind == kindBinary }

// size is how many bytes encode makes at most.
func (c codec) size(e *envelope) int {
	if !e.isMessage() {
		return headerBytes + 2 + len(e.node) + 2 + len(e.server) + controlBytes + c.overhead()
	}
	m := &e.message
	return headerBytes + 3*binary.MaxVarintLen64 + 2*binary.MaxVarintLen32 + len(m.Topic) + len(m.Event) + len(m.Payload) + c.overhead()
}

func (c codec) encode(channel string, e *envelope) []byte {
	b := make([]byte, 0, c.size(e))
	b = append(b, magic...)
	b = append(b, version, byte(e.kind))
	b = binary.BigEndian.AppendUint64(b, e.boot)
	if e.isMessage() {
		b = binary.AppendUvarint(b, e.serial)
		b = binary.AppendUvarint(b, e.epoch)
		b = binary.AppendUvarint(b, e.seq)
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

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads an envelope. Its payload shares memory with data, all else is
// copied.
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
	case e.isMessage():
		e.serial, e.epoch, e.seq = r.uvarint(), r.uvarint(), r.uvarint()
		e.message.Topic = r.string(maxTopic)
		e.message.Event = r.string(maxEvent)
		e.message.Payload = r.b
		e.message.Binary = e.kind == kindBinary
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

// bootOf is the boot of the sender, or 0. It looks at nothing else, for what a
// node hears of itself.
func bootOf(data []byte) uint64 {
	if len(data) < headerBytes {
		return 0
	}
	return binary.BigEndian.Uint64(data[4:])
}

// otherVersion is the version of an envelope of another version than this one's, or 0.
func otherVersion(data []byte) int {
	if len(data) < headerBytes || string(data[:2]) != magic || data[2] == version {
		return 0
	}
	return int(data[2])
}

// reader takes an envelope apart.
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
