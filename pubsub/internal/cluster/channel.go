package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxEscaped bounds the escaped part of a channel name. Brokers bound the line it
// stands on, NATS at 4 KiB.
const maxEscaped = 512

// TopicChannel is the channel of a topic: letters, digits, - and _ stay, every other
// byte becomes = and two hexadecimal digits. One that gets too long is named by its
// hash instead, which no escaped name can look like.
func TopicChannel(prefix, topic string) string { return escape(prefix+".t.", topic) }

// inboxChannel is where a node takes what is meant for it alone.
func inboxChannel(prefix, node string) string { return escape(inboxPrefix(prefix), node) }

func inboxPrefix(prefix string) string { return prefix + ".n." }

// checkChannel is where a node tries at its start whether it may use the channels of topics.
// No topic has it.
func checkChannel(prefix, node string) string { return escape(prefix+".t.=n", node) }

// controlChannel is shared by all nodes.
func controlChannel(prefix string) string { return prefix + ".c" }

// nodesChannel has every node that holds its name as a listener, and holderChannel the one
// that holds a name. Nothing is read there: the broker knows whether somebody listens.
func nodesChannel(prefix string) string        { return prefix + ".e" }
func holderChannel(prefix, node string) string { return escape(prefix+".h.", node) }

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

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// validName reports whether a prefix or the name of a node is one: 1 to max bytes of
// letters, digits and the extra ones.
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
