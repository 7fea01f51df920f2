package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxEscaped bounds the escaped part of a channel name, since brokers bound the length of a command:
// NATS to 4 KiB.
const maxEscaped = 512

// TopicChannel returns the channel of a topic. Letters, digits, - and _ are kept, and every other byte
// becomes = and two hexadecimal digits. A name that would be too long is replaced by a hash, in a form
// that no escaped name has.
func TopicChannel(prefix, topic string) string { return escape(prefix+".t.", topic) }

// inboxChannel returns the channel of messages for one node alone.
func inboxChannel(prefix, node string) string { return escape(inboxPrefix(prefix), node) }

// inboxPrefix returns the beginning of all inbox channels.
func inboxPrefix(prefix string) string { return prefix + ".n." }

// checkChannel returns the channel on which a node tries at its start whether it may use channels of
// topics. No topic has this name.
func checkChannel(prefix, node string) string { return escape(prefix+".t.=n", node) }

// controlChannel returns the channel that all nodes share.
func controlChannel(prefix string) string { return prefix + ".c" }

// All nodes that hold their names subscribe to nodesChannel, and the node that holds a name to its
// holderChannel. Messages there are ignored: a starting node asks the broker for the number of
// subscribers.
func nodesChannel(prefix string) string        { return prefix + ".e" }
func holderChannel(prefix, node string) string { return escape(prefix+".h.", node) }

// escape returns a channel name with an escaped part.
func escape(prefix, name string) string {
	if name == "" {
		return prefix + "="
	}
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(prefix)+len(name)+16)
	b = append(b, prefix...)
	for i := range len(name) {
		if len(b) > len(prefix)+maxEscaped {
			sum := sha256.Sum256([]byte(name))
			return string(hex.AppendEncode(append(b[:len(prefix)], "=h"...), sum[:]))
		}
		if c := name[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '=', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// plain reports whether a byte is kept by escape.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// validName reports whether s has 1 to most bytes, all of them letters, digits, -, _ or in extra.
func validName(s, extra string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if !plain(s[i]) && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}
