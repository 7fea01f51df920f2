package cluster

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// noted is the payload of a message, by which the test knows it: the writers of a topic number theirs
// from 1.
type noted struct {
	Writer uint32 `json:"w"`
	N      uint32 `json:"n"`
}

// key is the key under which it is published, whatever the retries.
func (n noted) key() string { return fmt.Sprint(n.Writer, "-", n.N) }

// parseNoted reads what encoding/json has made of one.
func parseNoted(payload []byte) (noted, error) {
	w, rest, _ := bytes.Cut(bytes.TrimPrefix(payload, []byte(`{"w":`)), []byte(`,"n":`))
	writer, err := strconv.ParseUint(string(w), 10, 32)
	n, err2 := strconv.ParseUint(string(bytes.TrimSuffix(rest, []byte("}"))), 10, 32)
	if err != nil || err2 != nil {
		return noted{}, fmt.Errorf("the payload %.100q is none of this test", payload)
	}
	return noted{uint32(writer), uint32(n)}, nil
}

// position is a place in a topic, as clients get it.
type position struct {
	epoch  string
	offset uint64
}

func (p position) String() string { return fmt.Sprint(p.epoch, ":", p.offset) }

func parsePosition(text string) (p position, err error) {
	epoch, offset, ok := strings.Cut(text, ":")
	if !ok {
		return p, fmt.Errorf("%q is no position", text)
	}
	p.epoch = epoch
	p.offset, err = strconv.ParseUint(offset, 10, 64)
	return p, err
}

// chronicle is what is known of a topic: which message follows which, by all that clients got, and
// which were acknowledged. The first who sees a link notes it, and everybody else must see the same.
// So each client got every message once and in order from its first position to its last if each of
// its links is in the one chain that the chronicle is in the end.
type chronicle struct {
	topic string

	fork    atomic.Bool // the store has lost a tail: there is more than one chain in the epoch until then
	forks   string      // that epoch
	forgets bool        // the store may lose everything: then a new epoch begins
	keeps   int         // of so many messages, who has missed more may be told so; 0: nobody may
	mu      sync.Mutex
	next    map[position]position
	place   map[noted]position
	what    map[position]noted
	acked   map[noted]position
	skips   map[position]position // what clients were told that they have lost
}

func newChronicle(topic string) *chronicle {
	return &chronicle{
		topic: topic, next: make(map[position]position),
		place: make(map[noted]position), what: make(map[position]noted), acked: make(map[noted]position),
		skips: make(map[position]position),
	}
}

// follows notes that a client which had everything up to a position got a message next.
func (c *chronicle) follows(before, at position, n noted) error {
	switch {
	case at.epoch != before.epoch:
		return fmt.Errorf("%v came after %v: another epoch, and no word of it", at, before)
	case at.offset <= before.offset:
		return fmt.Errorf("%v (%v) came after %v: doubled, or out of order", at, n, before)
	}
	if c.forked() && at.epoch == c.forks {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if next, ok := c.next[before]; ok && next != at {
		return fmt.Errorf("after %v one client got %v (%v), and another %v (%v): one of them lost a message", before, at, n, next, c.what[next])
	}
	c.next[before] = at
	return c.noteLocked(at, n)
}

// acknowledged notes that a message has a place, by the word of the node that published it.
func (c *chronicle) acknowledged(at position, n noted) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked[n] = at
	if c.forked() && at.epoch == c.forks {
		return nil
	}
	return c.noteLocked(at, n)
}

// skip notes that a client was told that it has lost what is between two positions of an epoch, and
// reports whether that may be.
func (c *chronicle) skip(from, to position) bool {
	if c.keeps == 0 || to.offset < from.offset {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, ok := c.skips[from]; !ok || to.offset < other.offset {
		c.skips[from] = to
	}
	return true
}

// forked reports whether some have seen a chain that others will never see.
func (c *chronicle) forked() bool { return c.fork.Load() }

func (c *chronicle) noteLocked(at position, n noted) error {
	if other, ok := c.what[at]; ok && other != n {
		return fmt.Errorf("at %v are %v and %v", at, n, other)
	}
	if other, ok := c.place[n]; ok && other != at && (!c.forgets || other.epoch == at.epoch) {
		return fmt.Errorf("%v is at %v and at %v: doubled", n, at, other)
	}
	c.what[at], c.place[n] = n, at
	return nil
}

// isHead reports whether a position is that of the last message, which was acknowledged.
func (c *chronicle) isHead(at position, last noted) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acked[last] == at
}

// check looks at the whole: all links are those of one chain in each epoch, and nobody was told to have
// lost messages that the store had to keep. If the store never forgets,
// each message was also acknowledged in the end, and those of each writer are in its order, and none is
// missing.
func (c *chronicle) check() (faults []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fault := func(format string, args ...any) {
		faults = append(faults, c.topic+": "+fmt.Sprintf(format, args...))
	}
	order := slices.SortedFunc(maps.Keys(c.what), func(a, b position) int {
		return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.offset, b.offset))
	})
	before := make(map[position]position, len(order))
	last := make(map[uint32]uint32)
	for i, at := range order {
		n := c.what[at]
		if c.acked[n] != at && !c.forgets {
			fault("%v is at %v, and was acknowledged at %v", n, at, c.acked[n])
		}
		if n.N != last[n.Writer]+1 && !c.forgets {
			fault("%v is at %v, after %d of this writer", n, at, last[n.Writer])
		}
		last[n.Writer] = n.N
		if i > 0 && order[i-1].epoch == at.epoch {
			before[at] = order[i-1]
		}
	}
	if len(order) > 0 && order[0].epoch != order[len(order)-1].epoch && !c.forgets {
		fault("there are several epochs")
	}
	for from, to := range c.next {
		if prev, ok := before[to]; ok && prev != from {
			fault("a client got %v next after %v; before it is %v", to, from, prev)
		}
	}
	for from, to := range c.skips {
		missed := 0
		for _, at := range order {
			if at.epoch == from.epoch && from.offset < at.offset && at.offset <= to.offset {
				missed++
			}
		}
		if missed < c.keeps {
			fault("a client was told that it has lost all from %v to %v, which are %d messages, and %d are kept", from, to, missed, c.keeps)
		}
	}
	return faults
}
