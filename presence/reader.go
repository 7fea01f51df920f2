package presence

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/tracker"
)

// reader is a client that is sent a list: the first message is presence_state, the others
// are presence_diff with joins. Each goes out when the client's queue has room for it, while
// the client is told of changes as all others are.
type reader struct {
	ch   *bennu.Channel
	list *listing      // nil: it begins, or begins anew
	next int           // in list
	most int           // bytes of a message
	gone chan struct{} // closed when the channel has ended; made on demand
	done chan error    // what PushState returns; nil when it has returned
}

// listing is a list that readers are sent, as it was when they began. Who has left since is
// nil: clients ignore that somebody leaves whom they do not know, and must not be told of
// the join later.
type listing struct {
	entries []*tracker.Entry // by key
	last    piece
}

// piece is a message of a listing. Readers that began together share it.
type piece struct {
	from, next, most int
	entries          int
	payload          []byte
}

var (
	errPresenceClosed = errors.New("presence: it is closed")
	errReader         = errors.New("presence: the list was not sent, since a function of the program's panicked")
)

// pushState sends a client who is here, just as the others have been told.
func (c *core) pushState(ch *bennu.Channel) error {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return errPresenceClosed
	}
	r := c.roomLocked(ch.Topic())
	if rd := r.readers[ch]; rd != nil && rd.done == nil {
		rd.list = nil // when there is room for more
		c.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	rd := &reader{ch: ch, most: maxMessageBytes, done: done}
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
		return errPresenceClosed
	}
}

// welcome begins to send readers the list.
func (c *core) welcome(r *room, arrivals []*reader) {
	if c.big.is(r.topic) {
		c.welcomeBig(r, arrivals)
		return
	}
	list := &listing{}
	c.tracker.Snapshot(r.topic, func(entries []*tracker.Entry) {
		c.mu.Lock()
		defer c.mu.Unlock()
		list.entries = r.untold.told(together(entries, c.held.of(r.topic)))
		for _, rd := range arrivals {
			rd.list, rd.next = list, 0
			r.readers[rd.ch] = rd
		}
	})
	slices.SortFunc(list.entries, byKey)
	for _, rd := range arrivals {
		c.goOn(r, rd, list)
	}
}

// goOn sends a reader as much of its list as its connection has room for.
func (c *core) goOn(r *room, rd *reader, list *listing) {
	for {
		p := c.piece(r, list, rd.next, rd.most)
		event := eventState
		if rd.next > 0 {
			event = eventDiff
		}
		again, err := pace.Offer(rd.ch, event, p.payload)
		switch {
		case errors.Is(err, pace.ErrTooLarge) && p.entries > 1:
			rd.most /= 2
			continue
		case err != nil:
			if errors.Is(err, pace.ErrTooLarge) {
				c.book.Say(notice.PresenceSize, notice.Foreign("topic", r.topic), slog.Int("bytes", len(p.payload)))
				err = ErrTooLarge
			}
			c.leave(r, rd, err)
			return
		case again != nil:
			c.wait(r, rd, again)
			return
		}
		if rd.next = p.next; rd.next >= len(list.entries) {
			c.leave(r, rd, nil)
			return
		}
	}
}

// leave forgets a reader that has all it gets.
func (c *core) leave(r *room, rd *reader, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rd.done == nil && rd.list == nil && err == nil { // PushState was called again
		r.continues = append(r.continues, rd)
		return
	}
	if r.readers[rd.ch] == rd {
		delete(r.readers, rd.ch)
	}
	rd.returnsLocked(err)
}

// returnsLocked lets PushState return.
func (rd *reader) returnsLocked(err error) {
	if rd.done != nil {
		rd.done <- err
		rd.done = nil
	}
}

// wait has a reader go on when its connection has room. One that has got nothing begins anew
// then, for what it will be told meanwhile is in no list.
func (c *core) wait(r *room, rd *reader, again <-chan struct{}) {
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

// piece makes the message of a listing that begins at an entry, with the fields that Fetch
// has for its keys.
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

// leave takes an entry out of a listing, which is told of as having left.
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
