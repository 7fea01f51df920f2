package redishistory

import (
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/internal/redisconn"
)

// escaper keeps braces out of topics, since the first pair of them in a key is its hash tag: keys with
// equal tags are at the same server of a cluster.
var escaper = strings.NewReplacer("=", "=3D", "{", "=7B", "}", "=7D")

// keys are the names of what Redis keeps of one topic.
type keys struct {
	tag string // {prefix.h.topic}
}

// keys returns the names for a topic. The escaped topic stands in the hash tag, so that all names of one
// topic are in one slot, and those of different topics are spread over the cluster.
func (s *store) keys(topic string) keys {
	return keys{"{" + s.prefix + ".h." + escaper.Replace(topic) + "}"}
}

// meta is the name of the hash, and stream that of the stream.
func (k keys) meta() string   { return k.tag + "m" }
func (k keys) stream() string { return k.tag + "s" }

// key is the name of a key of the application.
func (k keys) key(key string) string { return k.tag + "k" + key }

// slot is the slot of all these names in a cluster.
func (k keys) slot() int { return redisconn.Slot(k.tag) }

// probeKeys returns keys for the probe, in a slot of a cluster. They are those of no topic, since a topic has
// no "=p" after it was escaped.
func (s *store) probeKeys(slot int) keys {
	stem := s.prefix + ".h.=probe."
	sum := redisconn.CRC(0, stem)
	var digits []byte
	for i := int64(0); ; i++ { // about 16,000 times
		digits = strconv.AppendInt(digits[:0], i, 10)
		if int(redisconn.CRC(sum, digits))%redisconn.Slots == slot {
			return keys{"{" + stem + string(digits) + "}"}
		}
	}
}
