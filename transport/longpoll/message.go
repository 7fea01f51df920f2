package longpoll

import (
	"encoding/binary"
	"errors"
)

// This file has the messages between two servers. A poll is passed on like this; the asking server
// is the one that the client reached, and the owner has the session:
//
//	asking server                  owner
//	kindPoll   ───────────────►
//	           ◄───────────────    kindAck: the session is here, and the poll waits
//	           ◄───────────────    kindBatch, in one or more parts
//	kindTaken  ───────────────►    after a batch that counts in flights
//
// Without the session the owner answers kindNack in place of kindAck, and without a batch kindDone.
// The asking server sends kindGone if its client went away before anything of the answer was
// written, so that the owner keeps the batch, and kindBroken if writing the answer failed.
//
//	kindPost   ───────────────►    the first part, with the size of the whole body
//	           ◄───────────────    kindAck
//	kindPart   ───────────────►    each further part, none before the first kindAck
//	           ◄───────────────    kindAck: the whole post is queued
//	           ◄───────────────    kindAck, from time to time, while messages are handled
//	           ◄───────────────    kindDone: the status
//
// Messages may be lost. The asking server then waits for its time limits. It answers its client with
// 410 if it got no first answer, and otherwise with 204 for a poll and 408 for a post.
// kind is the kind of a message between two servers.
type kind byte

const (
	kindPoll   kind = iota + 1 // request: answer when there are messages
	kindPost                   // request: handle this post
	kindPart                   // request: a further part of a post
	kindGone                   // request: the client has gone and got nothing of the answer; drop the post
	kindBroken                 // request: the answer could not be written completely
	kindAck                    // answer: the session is here, and the request is being served
	kindNack                   // answer: the session is not here
	kindBatch                  // answer to a poll: a batch, or a part of one
	kindDone                   // answer: the status of a post, or 204 or 503 to a poll
	kindTaken                  // request: the whole answer to a poll has arrived
)

// message is one message between the server that a client reached and the owner of its session. Its
// kind decides which fields it has.
type message struct {
	kind    kind
	request id // random, made by the asking server

	// In every request.
	session id
	// In poll and post.
	boot   id // of the asking server, for the answer
	node   string
	mount  uint32
	number uint64 // of the client's token; in a batch, of the token of the answer

	size   uint32 // bytes of the body of a post, all parts together
	ndjson bool   // in post
	last   bool   // in post, part and batch: no part follows
	part   uint32 // in part and batch, counting from 0
	status int    // in done
	body   []byte // in post, part and batch; shares memory with the decoded bytes
}

const (
	// messageVersion is the first byte of each message. Servers drop messages of another version.
	messageVersion = 1
	// partBytes bounds the body of one message, well below the limits of brokers; maxParts bounds
	// the parts of one body.
	partBytes = 128 << 10
	maxParts  = 1024
	// maxMessageBytes bounds a whole message.
	maxMessageBytes = partBytes + 512

	flagLast   = 1
	flagNDJSON = 2
)

// errMessage means that bytes are not a message.
var errMessage = errors.New("longpoll: message of another node does not decode")

// encode returns the message as bytes, which decodeMessage reads.
//
//	1 byte      version
//	1 byte      kind
//	16 bytes    request
//	…           the fields of the kind, big-endian; node after its length in one byte
//	1 byte      flags, for kindPost, kindPart and kindBatch
//	…           body, for the same
func (m *message) encode() []byte {
	b := make([]byte, 0, 2+4*16+1+len(m.node)+4+8+4+4+1+len(m.body))
	b = append(b, messageVersion, byte(m.kind))
	b = append(b, m.request[:]...)
	var flags byte
	if m.last {
		flags |= flagLast
	}
	if m.ndjson {
		flags |= flagNDJSON
	}
	switch m.kind {
	case kindPoll, kindPost:
		b = append(b, m.session[:]...)
		b = append(b, m.boot[:]...)
		b = append(b, byte(len(m.node)))
		b = append(b, m.node...)
		b = binary.BigEndian.AppendUint32(b, m.mount)
		b = binary.BigEndian.AppendUint64(b, m.number)
		if m.kind == kindPost {
			b = binary.BigEndian.AppendUint32(b, m.size)
			b = append(b, flags)
		}
	case kindPart:
		b = append(b, m.session[:]...)
		b = binary.BigEndian.AppendUint32(b, m.part)
		b = append(b, flags)
	case kindGone, kindBroken, kindTaken:
		b = append(b, m.session[:]...)
	case kindBatch:
		b = binary.BigEndian.AppendUint64(b, m.number)
		b = binary.BigEndian.AppendUint32(b, m.part)
		b = append(b, flags)
	case kindDone:
		b = binary.BigEndian.AppendUint16(b, uint16(m.status))
	}
	return append(b, m.body...)
}

// decodeMessage reads a message. The bytes come from a broker and may be anything.
func decodeMessage(b []byte) (m message, err error) {
	if len(b) > maxMessageBytes {
		return m, errMessage
	}
	r := reader{b: b}
	version := r.byte()
	m.kind = kind(r.byte())
	m.request = r.id()
	known := byte(0)
	switch m.kind {
	case kindPoll, kindPost:
		m.session = r.id()
		m.boot = r.id()
		m.node = string(r.take(int(r.byte())))
		m.mount = r.uint32()
		m.number = r.uint64()
		if m.kind == kindPost {
			m.size = r.uint32()
			known = flagLast | flagNDJSON
		}
	case kindPart:
		m.session = r.id()
		m.part = r.uint32()
		known = flagLast
	case kindGone, kindBroken, kindTaken:
		m.session = r.id()
	case kindBatch:
		m.number = r.uint64()
		m.part = r.uint32()
		known = flagLast
	case kindDone:
		m.status = int(r.uint16())
		switch m.status {
		case statusOK, statusNoData, statusBad, statusUnhandled, statusGone, statusClosing:
		default:
			return m, errMessage
		}
	case kindAck, kindNack:
	default:
		return m, errMessage
	}
	if known != 0 {
		flags := r.byte()
		m.last = flags&flagLast != 0
		m.ndjson = flags&flagNDJSON != 0
		if flags&^known != 0 || len(r.b) > partBytes {
			return m, errMessage
		}
		m.body, r.b = r.b, nil
	}
	// Bytes that are left over are as wrong as bytes that are missing.
	if version != messageVersion || r.short || len(r.b) > 0 || m.part >= maxParts {
		return m, errMessage
	}
	return m, nil
}

// reader reads fields from bytes, and notes when there are too few.
type reader struct {
	b     []byte
	short bool
}

// take returns the next n bytes, or fewer if there are not as many.
func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.short = true
		n = len(r.b)
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// The methods below return zero values when there are too few bytes.
func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	var f [2]byte
	copy(f[:], r.take(2))
	return binary.BigEndian.Uint16(f[:])
}

func (r *reader) uint32() uint32 {
	var f [4]byte
	copy(f[:], r.take(4))
	return binary.BigEndian.Uint32(f[:])
}

func (r *reader) uint64() uint64 {
	var f [8]byte
	copy(f[:], r.take(8))
	return binary.BigEndian.Uint64(f[:])
}

func (r *reader) id() (i id) {
	copy(i[:], r.take(16))
	return i
}

// joinMessages returns the messages of a batch, each after its length of four bytes. splitMessages
// undoes it.
func joinMessages(messages [][]byte) []byte {
	size := 0
	for _, m := range messages {
		size += 4 + len(m)
	}
	b := make([]byte, 0, size)
	for _, m := range messages {
		b = binary.BigEndian.AppendUint32(b, uint32(len(m)))
		b = append(b, m...)
	}
	return b
}

// splitMessages returns the messages in the body of an answer, which share its memory.
func splitMessages(b []byte) ([][]byte, error) {
	var messages [][]byte
	for len(b) > 0 {
		r := reader{b: b}
		n := r.uint32()
		if r.short || uint64(n) > uint64(len(r.b)) {
			return nil, errMessage
		}
		messages = append(messages, r.take(int(n)))
		b = r.b
	}
	if messages == nil {
		return nil, errMessage // a batch is never empty
	}
	return messages, nil
}

// parts returns the body of a request or an answer in parts of partBytes, at least one.
func parts(body []byte) [][]byte {
	list := make([][]byte, 0, 1+len(body)/partBytes)
	for len(body) > partBytes {
		list = append(list, body[:partBytes])
		body = body[partBytes:]
	}
	return append(list, body)
}
