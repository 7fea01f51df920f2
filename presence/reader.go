package presence

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/tracker"
)

// reader is a client to which a list is being sent: presence_state, then presence_diff with
// joins, each when the client's queue has room. Meanwhile the client gets the diffs like all
// others.
type reader struct {
	ch   *bennu.Channel
	list *listing      // nil: the reader has to start, or to start over
	next int           // index into list
	most int           // bytes of a message
	gone chan struct{} // closed when the channel has ended; made on demand
	done chan error    // gets the result of PushState; nil after that
}

// listing is a list as it was when its readers started. Entries that left since are nil: clients
// ignore the leave of an unknown entry, and must not get its join afterwards.
type listing struct {
	entries []*tracker.Entry // by key
	last    piece
}

// piece is one message of a listing, kept for readers that start together.
type piece struct {
	from, next, most int // entries from:next in at most so many bytes
	entries          int
	payload          []byte
}

// pushState makes a client a reader of its topic, and waits for the first message unless there
// is a Fetch.
func (c *core) pushState(ch *bennu.Channel) error {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return errClosed
	}
	r := c.roomLocked(ch.Topic())
	// A reader that waits for room does not become two: it starts over.
	if rd := r.readers[ch]; rd != nil && rd.done == nil {
		rd.list = nil // it starts over when there is room
		c.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	rd := &reader{ch: ch, most: c.messageBytes(), done: done}
	r.arrivals = append(r.arrivals, rd)
	c.startLocked(r)
	c.mu.Unlock()
	c.join(r, ch)
	if c.fetch.hook != nil {
		return nil
	}
	select {
	case err := <-done:
		return err
	case <-c.closed:
		return errClosed
	}
}

// begin starts readers with the list as the other clients have been told it.
func (c *core) begin(r *room, arrivals []*reader) {
	if c.big.is(r.topic) {
		c.beginBig(r, arrivals)
		return
	}
	// The snapshot may be ahead of the clients by the untold changes, which are undone in it:
	// the readers get these as diffs, with all others. From here on markTold keeps the list
	// right.
	list := &listing{}
	c.tracker.Snapshot(r.topic, func(entries []*tracker.Entry) {
		c.mu.Lock()
		defer c.mu.Unlock()
		list.entries = r.untold.undo(together(entries, c.held.of(r.topic)))
		for _, rd := range arrivals {
			rd.list, rd.next = list, 0
			r.readers[rd.ch] = rd
		}
	})
	slices.SortFunc(list.entries, byKey)
	for _, rd := range arrivals {
		c.sendMore(r, rd, list)
	}
}

// sendMore sends a reader as much of its list as its queue has room for.
func (c *core) sendMore(r *room, rd *reader, list *listing) {
	for {
		p := c.piece(r, list, rd.next, rd.most)
		event := eventState
		if rd.next > 0 {
			event = eventDiff
		}
		again, err := pace.Offer(rd.ch, event, p.payload)
		switch {
		case errors.Is(err, pace.ErrTooLarge) && p.entries > 1:
			// The queue of this client is smaller than usual.
			rd.most /= 2
			continue
		case err != nil:
			if errors.Is(err, pace.ErrTooLarge) {
				c.book.Say(notice.PresenceSize, notice.Foreign("topic", r.topic), slog.Int("bytes", len(p.payload)))
				err = ErrTooLarge
			}
			c.finish(r, rd, err)
			return
		case again != nil:
			c.waitForRoom(r, rd, again)
			return
		}
		if rd.next = p.next; rd.next >= len(list.entries) {
			c.finish(r, rd, nil)
			return
		}
	}
}

// finish forgets a reader that has its list or failed.
func (c *core) finish(r *room, rd *reader, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rd.done == nil && rd.list == nil && err == nil { // PushState was called again meanwhile
		r.continues = append(r.continues, rd)
		return
	}
	if r.readers[rd.ch] == rd {
		delete(r.readers, rd.ch)
	}
	rd.returnsLocked(err)
}

// returnsLocked makes PushState return.
func (rd *reader) returnsLocked(err error) {
	if rd.done != nil {
		rd.done <- err
		rd.done = nil
	}
}

// waitForRoom puts a reader aside until again is closed. A reader that has got nothing yet starts
// over then, since the changes of which it is told meanwhile would come before its state.
func (c *core) waitForRoom(r *room, rd *reader, again <-chan struct{}) {
	if rd.gone == nil {
		gone := make(chan struct{})
		rd.gone = gone
		rd.ch.AfterEnd(func() { close(gone) })
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if rd.next == 0 {
		rd.list = nil
	}
	rd.returnsLocked(nil)
	if c.ended {
		return
	}
	c.tasks.Go(func() {
		select {
		case <-again:
		case <-rd.gone:
		case <-c.closed:
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		r.continues = append(r.continues, rd)
		c.startLocked(r)
	})
}

// piece returns the message of a listing that starts at index from, with the fields of Fetch.
func (c *core) piece(r *room, list *listing, from, most int) piece {
	if list.last.payload != nil && list.last.from == from && list.last.most == most {
		return list.last
	}
	const around = 80
	joins, at := make([]change, 0, 64), make([]int, 0, 64)
	size, next := 0, from
	for ; next < len(list.entries) && size <= most; next++ {
		if e := list.entries[next]; e != nil {
			joins, at = append(joins, change{e: e}), append(at, next)
			size += len(e.Meta()) + len(e.Key()) + around
		}
	}
	payload, n := c.message(joins, c.fetch.fields(r.topic, keysOf(joins)), most, from == 0)
	if n < len(joins) {
		next = at[n]
	}
	list.last = piece{from, next, most, n, payload}
	return list.last
}

// leave removes an entry from a listing by binary search, past the nils of removed ones.
func (l *listing) leave(e *tracker.Entry) {
	if l == nil {
		return
	}
	l.last = piece{}
	for lo, hi := 0, len(l.entries); lo < hi; {
		mid := (lo + hi) / 2
		at := mid
		for at < hi && l.entries[at] == nil {
			at++
		}
		if at == hi {
			hi = mid
			continue
		}
		switch d := byKey(l.entries[at], e); {
		case d == 0:
			l.entries[at] = nil
			return
		case d < 0:
			lo = at + 1
		default:
			hi = mid
		}
	}
}
