package history

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// reading is one call of Log.Read.
type reading struct {
	source
	ctx   context.Context
	topic string
	limit int
}

// mostRaces bounds how often a reading begins again because the oldest messages were dropped
// meanwhile.
const mostRaces = 10

// after reads the messages after a place.
func (r *reading) after(at Offset) (Page, error) {
	p, err := r.piece(r.ctx, r.topic, at.at.Offset, &ReadOptions{Entries: r.limit, Bytes: pageBytes})
	if err != nil {
		return Page{}, err
	}
	if !p.Known || p.Head.Epoch != at.at.Epoch {
		return gone(&p), nil
	}
	return r.page(&p), nil
}

// before reads the messages before a place. The store does not look whether an entry is there. A place
// between entries cannot have come from this package, and gets the messages before it.
func (r *reading) before(at Offset) (Page, error) {
	o := &ReadOptions{Entries: r.limit, Bytes: pageBytes, Newest: true, Before: at.at.Offset}
	if at.at.Offset == 0 {
		o.Before = 1 // nothing is before it; 0 would be no bound
	}
	p, err := r.piece(r.ctx, r.topic, 0, o)
	if err != nil {
		return Page{}, err
	}
	if p.Head.Epoch != at.at.Epoch || at.at.Offset > p.Head.Offset || p.Oldest > 0 && at.at.Offset <= p.Oldest {
		return gone(&p), nil
	}
	return r.page(&p), nil
}

// last reads the newest messages.
func (r *reading) last() (Page, error) {
	p, err := r.piece(r.ctx, r.topic, 0, &ReadOptions{Entries: r.limit, Bytes: pageBytes, Newest: true})
	if err != nil {
		return Page{}, err
	}
	return r.page(&p), nil
}

// oldest reads the oldest messages. Their place is that from which a first Read says it can go on.
func (r *reading) oldest() (Page, error) {
	var at uint64
	for range mostRaces {
		p, err := r.piece(r.ctx, r.topic, at, &ReadOptions{Entries: r.limit, Bytes: pageBytes})
		if err != nil {
			return Page{}, err
		}
		if p.Known {
			return r.page(&p), nil
		}
		at = p.Oldest
	}
	return Page{}, fmt.Errorf("%w: the oldest messages are dropped faster than they can be read", ErrUnavailable)
}

// since reads the messages of a time and later. A Store has no index of times, so since looks for the
// last one that is older, by asking for the message before an offset that halves what is left.
func (r *reading) since(t time.Time) (Page, error) {
	p, err := r.piece(r.ctx, r.topic, 0, &ReadOptions{Entries: 1, Bytes: 1, Newest: true})
	if err != nil {
		return Page{}, err
	}
	if len(p.Entries) == 0 {
		return r.page(&p), nil
	}
	// older is a place, and everything up to low is older than t. What is above high is not.
	older, low, high := p.Oldest, p.Oldest, p.Head.Offset
	for low < high {
		mid := low + (high-low)/2
		if high-low == 1 {
			mid = high
		}
		e, err := r.upTo(mid)
		switch {
		case err != nil:
			return Page{}, err
		case e == nil || e.Offset <= low:
			low = mid
		case e.Time.Before(t):
			older, low = e.Offset, mid
		default:
			high = e.Offset - 1
		}
	}
	page, err := r.after(OffsetOf(Place{Epoch: p.Head.Epoch, Offset: older}))
	if err == nil && page.Gone {
		return r.oldest() // it was dropped meanwhile, and so those after it are the oldest
	}
	return page, err
}

// upTo returns the newest entry up to an offset, or nil if none is kept.
func (r *reading) upTo(offset uint64) (*Entry, error) {
	p, err := r.piece(r.ctx, r.topic, 0, &ReadOptions{Entries: 1, Bytes: 1, Newest: true, Before: offset + 1})
	if err != nil || len(p.Entries) == 0 {
		return nil, err
	}
	return &p.Entries[0], nil
}

// page returns a piece as a Page. Entries that are unsound are left out.
func (r *reading) page(p *Piece) Page {
	page := Page{More: p.More, Head: offsetOf(p.Head), Messages: make([]Message, 0, len(p.Entries))}
	for i := range p.Entries {
		e := &p.Entries[i]
		if r.l.sound(r.topic, e) {
			page.Messages = append(page.Messages, Message{OffsetOf(e.Place), e.Event, e.Payload, e.Binary, e.Time})
		}
	}
	return page
}

// sound is the function of that name, and says so if an entry is not.
func (l *Log) sound(topic string, e *Entry) bool {
	if sound(e) {
		return true
	}
	l.book.Say(notice.HistoryUnsound, notice.Foreign("topic", topic), notice.Foreign("event", e.Event),
		slog.String("offset", OffsetOf(e.Place).String()), slog.Int("bytes", len(e.Payload)))
	return false
}

// gone returns the page for a place that is none of the log any more, with the head from which a program can
// go on.
func gone(p *Piece) Page { return Page{Head: offsetOf(p.Head), Gone: true} }

// offsetOf returns the Offset of whoever has received all messages of a topic.
func offsetOf(h Head) Offset { return OffsetOf(Place{Epoch: h.Epoch, Offset: h.Offset}) }
