package natshistory

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/bennu-go/bennu/history"
)

// Below the prefix, natspubsub uses other subjects than these, so that both may have one prefix.
//
//	l.TOPIC  the log of a topic
//	k.TOPIC  says that a node follows the topic; the newest message alone is kept
//	k        says when a janitor was last at work
//	i.>      answers, which the stream does not keep
func logSubject(prefix, topic string) string { return escape(prefix+".l.", topic) }
func janitorSubject(prefix string) string    { return prefix + ".k" }
func inboxes(prefix string) string           { return prefix + ".i" }

// markOf returns the subject that says whether somebody follows the topic of a log.
func markOf(prefix, log string) string { return prefix + ".k." + strings.TrimPrefix(log, prefix+".l.") }

// probeSubject is tried at the start, to see whether this user may publish. No topic has it: behind a "="
// escape writes nothing, h, or two hexadecimal digits.
func probeSubject(prefix string) string { return prefix + ".l.=probe" }

// subjects are those that the stream keeps.
func subjects(prefix string) []string {
	return []string{prefix + ".l.*", prefix + ".k", prefix + ".k.*"}
}

// plain are the characters that are not escaped.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// maxEscaped bounds an escaped topic. NATS bounds a line of its protocol, 4 KiB by default.
const maxEscaped = 512

// escape returns a subject with an escaped last part: letters, digits, -, _ and : are kept, and every
// other byte becomes = and two hexadecimal digits. A long one is replaced by a hash, in a form that no
// escaped text has.
func escape(begin, text string) string {
	if text == "" {
		return begin + "="
	}
	const digits = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(begin)+len(text)+16), begin...)
	for i := range len(text) {
		if c := text[i]; c == ':' || strings.IndexByte(plain, c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '=', digits[c>>4], digits[c&15])
		}
	}
	if len(b)-len(begin) <= maxEscaped {
		return string(b)
	}
	sum := sha256.Sum256([]byte(text))
	return begin + "=h" + hex.EncodeToString(sum[:])
}

// messageID returns the id by which the server knows a message again. The server has one set of ids for
// the stream, so the id has the topic in it. It is a hash, since keys may be long and have any bytes;
// each part has its length before it, so that no two lists of parts are the same text.
func messageID(topic string, e *history.Entry, key string) string {
	if key == "" && e.Number == 0 {
		return rand.Text()
	}
	h := sha256.New()
	part := func(text string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(text)))
		h.Write(n[:])
		h.Write([]byte(text))
	}
	part(topic)
	if key != "" {
		part(key)
	} else {
		part(e.Boot)
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], e.Number)
		h.Write(n[:])
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// offset returns the offset of a message: its sequence in the stream, and 10 bits of its id. If the
// stream loses its tail, other messages get the same sequences. The bits tell them apart.
func offset(sequence uint64, id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return sequence<<tagBits | uint64(binary.BigEndian.Uint16(sum[:])&(1<<tagBits-1))
}

// tagBits is the number of bits of an offset that come from the id. 54 bits are left for the sequence, which is
// enough for a million messages a second for 500 years.
const tagBits = 10
