package history

import (
	"fmt"
	"runtime"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/internal/topic"
)

// keptTopic is a Topic with its defaults resolved.
type keptTopic struct {
	pattern topic.Pattern
	keep    Keep
	follow  follow.Topic
}

// Bounds of the fields of a Topic.
const (
	defaultSize  = 1000
	maxSize      = 100_000
	defaultBytes = 1 << 20
)

// keptTopics resolves Options.Topics. It panics for a mistake in a pattern; where is the place of the
// call of New.
func keptTopics(c *checker, list []Topic, where string) []keptTopic {
	if len(list) == 0 {
		c.wrong(`option Topics is empty; name the topics to keep, as in []history.Topic{{Pattern: "room:*"}}`)
	}
	kept := make([]keptTopic, len(list))
	for i := range list {
		kept[i].pattern = parsePattern(list[i].Pattern, i, where)
		for j := range i {
			refuseClash(&kept[j], j, &kept[i], i, where)
		}
		kept[i].resolve(c, &list[i], i)
	}
	return kept
}

// parsePattern panics for a pattern that cannot match as it was meant.
func parsePattern(text string, index int, where string) topic.Pattern {
	p, fault := topic.ParsePattern(text)
	if fault != "" {
		panic(fmt.Sprintf("history: %s: Topics[%d]: %s", where, index, fault))
	}
	return p
}

// refuseClash panics for a pattern that can never match because of an earlier one.
func refuseClash(earlier *keptTopic, at int, later *keptTopic, index int, where string) {
	switch {
	case earlier.pattern == later.pattern:
		panic(fmt.Sprintf("history: %s: topic pattern %q of Topics[%d] is that of Topics[%d] already", where, later.pattern, index, at))
	case earlier.pattern.Covers(later.pattern):
		panic(fmt.Sprintf("history: %s: topic pattern %q of Topics[%d] can never match, because %q of Topics[%d] takes its topics; write %q before %q",
			where, later.pattern, index, earlier.pattern, at, later.pattern, earlier.pattern))
	}
}

// resolve checks the bounds of a Topic.
func (k *keptTopic) resolve(c *checker, t *Topic, index int) {
	name := func(field string) string { return fmt.Sprintf("Topics[%d].%s", index, field) }
	k.keep = Keep{
		Size:  c.count(name("Size"), t.Size, defaultSize, maxSize),
		Bytes: c.count(name("Bytes"), t.Bytes, defaultBytes, maxBytes),
		Age:   c.Finite(name("Age"), t.Age, defaultAge, maxAge),
	}
	k.follow = follow.Topic{
		Entries: k.keep.Size, Bytes: k.keep.Bytes, NoResume: t.NoResume,
		Rewind:    c.upToSize(name("Rewind"), t.Rewind, 0, k.keep.Size),
		MaxReplay: c.upToSize(name("MaxReplay"), t.MaxReplay, k.keep.Size, k.keep.Size),
	}
	if t.NoResume && t.Rewind > 0 {
		c.wrong("option %s is %d, and %s is true, so that no client gets it; set one of them", name("Rewind"), t.Rewind, name("NoResume"))
	}
	if t.NoResume && t.MaxReplay > 0 {
		c.wrong("option %s is %d, and %s is true, so that no client gets it; set one of them", name("MaxReplay"), t.MaxReplay, name("NoResume"))
	}
}

// kept returns what is kept of a topic, or nil. The topics of the library itself are never kept, not
// even with the pattern "*".
func (l *Log) kept(name string) *keptTopic {
	for i := range l.topics {
		if k := &l.topics[i]; k.pattern.Match(name) {
			if reserved.Topic(name) {
				return nil
			}
			return k
		}
	}
	return nil
}

// caller returns the file and line of the call of New, which must call it directly.
func caller() string {
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return "unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}
