package topic

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/reserved"
)

// MaxTopic is the longest topic of a client, in bytes. It is wire.MaxTopic.
const MaxTopic = 255

// Pattern is a topic, or the beginning of topics.
type Pattern struct {
	text   string
	prefix bool // the pattern ended in *, which is cut off
}

// ParsePattern returns a Pattern. For one that cannot match as it was meant, fault is a sentence that
// says what to write instead.
func ParsePattern(pattern string) (p Pattern, fault string) {
	star := strings.IndexByte(pattern, '*')
	before, part, foreign := CutForeign(pattern)
	switch {
	case pattern == "":
		return p, `a topic pattern must not be empty; use "*" for every topic`
	case !utf8.ValidString(pattern) || len(strings.TrimSuffix(pattern, "*")) > MaxTopic:
		return p, fmt.Sprintf("topic pattern %q can never match: a topic is UTF-8 of at most %d bytes", pattern, MaxTopic)
	case foreign:
		return p, fmt.Sprintf("in topic pattern %q the part %q matches only itself; a pattern is a whole topic, or a prefix with * at its end, as in %q; Channel.Topic has the whole topic", pattern, part, before+"*")
	case reserved.Topic(pattern):
		return p, fmt.Sprintf("topic pattern %q can never match: topics that begin with phx: belong to the library; use another name", pattern)
	case star >= 0 && star < len(pattern)-1:
		return p, fmt.Sprintf("in topic pattern %q the * is not the last character; only a prefix can be matched, as in %q", pattern, pattern[:star+1])
	case star >= 0:
		return Pattern{text: pattern[:star], prefix: true}, ""
	}
	return Pattern{text: pattern}, ""
}

// Match reports whether the pattern matches a topic.
func (p Pattern) Match(topic string) bool {
	if p.prefix {
		return strings.HasPrefix(topic, p.text)
	}
	return topic == p.text
}

// Covers reports whether every topic that matches the other pattern matches p, too.
func (p Pattern) Covers(other Pattern) bool {
	return p.prefix && strings.HasPrefix(other.text, p.text) || p == other
}

// String returns the pattern as it was written.
func (p Pattern) String() string {
	if p.prefix {
		return p.text + "*"
	}
	return p.text
}
