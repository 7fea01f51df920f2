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
	kindHello                  // control: a node has started
	kindBeat                   // control: a node is there; to an inbox: the answer to hello
	kindBye                    // control: a node stops
	kindTaken                  // to an inbox: its name belongs to another node
	kindSync                   // control: answer when this has come
	kindSynced                 // to an inbox: it has
)

const (
	magic   = "bn"
	version = 1
	// headerBytes are magic, version, kind and boot; macBytes the code that follows
	// everything when there is a secret.
	headerBytes = 2 + 1 + 1 + 8
	macBytes    = 16
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

	// Of a message.
	epoch, seq uint64
	message    pubsub.Message

	// Of control.
	node   string // of the sender
	server string // where it is; of hello and beat
	about  uint64 // a boot, of taken; which, of sync and synced
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
	m := &e.message
	return headerBytes + 2*binary.MaxVarintLen64 + 2*binary.MaxVarintLen32 + len(m.Topic) + len(m.Event) + len(m.Payload) +
		2 + len(e.node) + 2 + len(e.server) + 8 + c.overhead()
}

func (c codec) encode(channel string, e *envelope) []byte {
	b := make([]byte, 0, c.size(e))
	b = append(b, magic...)
	b = append(b, version, byte(e.kind))
	b = binary.BigEndian.AppendUint64(b, e.boot)
	if e.isMessage() {
		b = binary.AppendUvarint(b, e.epoch)
		b = binary.AppendUvarint(b, e.seq)
		b = appendString(b, e.message.Topic)
		b = appendString(b, e.message.Event)
		b = append(b, e.message.Payload...)
	} else {
		b = appendString(b, e.node)
		b = appendString(b, e.server)
		b = binary.BigEndian.AppendUint64(b, e.about)
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
		e.epoch, e.seq = r.uvarint(), r.uvarint()
		e.message.Topic = r.string(maxTopic)
		e.message.Event = r.string(maxEvent)
		e.message.Payload = r.b
		e.message.Binary = e.kind == kindBinary
	case kindHello <= e.kind && e.kind <= kindSynced:
		e.node = r.string(MaxName)
		e.server = r.string(maxEvent)
		if r.bad || len(r.b) != 8 || !validName(e.node, nodeExtra, MaxName) {
			return e, errGarbage
		}
		e.about = binary.BigEndian.Uint64(r.b)
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
