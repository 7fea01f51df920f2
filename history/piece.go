package history

import (
	"fmt"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/redact"
)

// maxEntry bounds the payload of an entry that is returned by a query. Subscribers have the same bound.
const maxEntry = 64 << 20

// sound reports whether an entry of a store is a message that an endpoint could have published.
func sound(e *Entry) bool {
	return len(e.Payload) <= maxEntry && len(e.From) <= maxFrom && utf8.ValidString(e.From) && event.Sound(e.Event, e.Payload, e.Binary)
}

// fault returns a sentence that says why a piece cannot be the result of a Read, or "". A store may be
// written by others, and its log may have been changed by anybody.
func (p *Piece) fault(after uint64, o *ReadOptions) string {
	switch {
	// A topic without a log.
	case p.Head == Head{} && p.Oldest == 0 && len(p.Entries) == 0 && !p.More && (o.Newest || p.Known == (after == 0)):
		return ""
	case !follow.ValidEpoch(p.Head.Epoch):
		return "the epoch of the head is " + redact.Print(p.Head.Epoch)
	case p.Oldest > p.Head.Offset:
		return fmt.Sprintf("the oldest place is %d, and the head %d", p.Oldest, p.Head.Offset)
	case !p.Known && !o.Newest:
		return ""
	case !o.Newest && (after < p.Oldest || after > p.Head.Offset):
		return fmt.Sprintf("offset %d is known, which is not from %d to %d", after, p.Oldest, p.Head.Offset)
	case len(p.Entries) > o.Entries:
		return fmt.Sprintf("it has %d entries, and %d were asked for", len(p.Entries), o.Entries)
	}
	if fault := p.chainFault(after, o); fault != "" {
		return fault
	}
	return p.endFault(after, o)
}

// chainFault looks for entries that do not follow each other.
func (p *Piece) chainFault(after uint64, o *ReadOptions) string {
	bytes := 0
	for i := range p.Entries {
		e := &p.Entries[i]
		switch {
		case e.Epoch != p.Head.Epoch:
			return fmt.Sprintf("entry %d is of another epoch", e.Offset)
		case e.Offset <= e.Prev:
			return fmt.Sprintf("entry %d has %d before it", e.Offset, e.Prev)
		case i > 0 && e.Prev != p.Entries[i-1].Offset:
			return fmt.Sprintf("entry %d follows %d and names %d", e.Offset, p.Entries[i-1].Offset, e.Prev)
		case i == 0 && !o.Newest && e.Prev != after:
			return fmt.Sprintf("entry %d names %d before it, and those after %d were asked for", e.Offset, e.Prev, after)
		}
		if bytes += len(e.Payload); bytes > o.Bytes && len(p.Entries) > 1 {
			return fmt.Sprintf("its payloads have more than the %d bytes that were asked for", o.Bytes)
		}
	}
	return ""
}

// endFault looks for entries that are left out at the ends. One that is left out at the head would never
// be delivered, since the chain up to there is sound.
func (p *Piece) endFault(after uint64, o *ReadOptions) string {
	first, last := after, after
	if n := len(p.Entries); n > 0 {
		first, last = p.Entries[0].Prev, p.Entries[n-1].Offset
	}
	switch {
	case last > p.Head.Offset:
		return fmt.Sprintf("it ends with %d behind the head %d", last, p.Head.Offset)
	case o.Newest && o.Before > 0 && last >= o.Before && len(p.Entries) > 0:
		return fmt.Sprintf("it ends with %d, and those before %d were asked for", last, o.Before)
	case o.Newest && len(p.Entries) > 0 && first < p.Oldest:
		return fmt.Sprintf("it begins after %d, before the oldest place %d", first, p.Oldest)
	case !o.Newest && p.More != (last < p.Head.Offset):
		return fmt.Sprintf("it ends with %d, the head is %d, and it says that entries follow: %t", last, p.Head.Offset, p.More)
	case !o.Newest && p.More && len(p.Entries) == 0:
		return "it is empty, and says that entries follow"
	}
	return ""
}
