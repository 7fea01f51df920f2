package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// OffsetForm is how a client gets the offsets of the messages of a channel; see Channel.Offsets.
type OffsetForm uint8

// The forms.
const (
	NoOffsets OffsetForm = iota // not at all
	InRef                       // in the ref of each broadcast, where stock clients hand it to their program
	InPayload                   // as the member _offset of each payload
)

// Resumed is the result of a join for the messages that its client may have missed.
type Resumed uint8

// The results. The zero value is that of a channel whose client gets no offsets, or that has not
// joined yet.
const (
	New       Resumed = iota + 1 // the client had nothing
	Recovered                    // it gets everything that it has missed
	Lost                         // it has missed something that it does not get, and was told so
)

// String returns "new", "recovered", "lost", or "".
func (r Resumed) String() string { return [...]string{"", "new", "recovered", "lost"}[r] }

// Reasons of Lost beside those of package follow. They go to clients.
const (
	reasonInvalid  = "invalid"   // not a position
	reasonTooMany  = "too_many"  // more than history.Topic.MaxReplay were missed
	reasonTooLarge = "too_large" // a message does not fit the queue of the client
)

var errNotInJoin = errors.New("bennu: Resume, Rewind and Offsets of a channel may be called only in its Join")

// Resume makes the client go on after a place that the program knows, for instance from a database,
// whatever the client has sent. The zero Offset means that the client is new. The client gets offsets
// in the ref of each broadcast, unless Offsets says otherwise.
//
// Resume, Rewind and Offsets may be called in Join. The error is history.ErrNotKept if the topic has
// no history that clients can resume from.
func (c *Channel) Resume(o history.Offset) error {
	return c.ask(func(m *keptMore) {
		m.since.kind, m.since.at = sinceAt, positionOf(o)
		if o.IsZero() {
			m.since.kind = sinceNew
		}
	})
}

// Rewind gives the client the newest n messages of the topic first, in place of the number in
// history.Topic.Rewind, if it is new or is told that it has lost messages. They come also to a client
// that has sent no offset. If n is more than the topic keeps, all come, and if it is 0, none.
func (c *Channel) Rewind(n int) error {
	if n < 0 {
		return fmt.Errorf("bennu: Rewind of %d messages; use 0 or more", n)
	}
	return c.ask(func(m *keptMore) { m.rewind = n })
}

// Offsets sets the form in which the client gets the offsets of messages. By default that is the form
// for which it asks with its join, and NoOffsets if it asks for none. A client that gets offsets and
// has sent none is new.
func (c *Channel) Offsets(form OffsetForm) error {
	if form > InPayload {
		return fmt.Errorf("bennu: there is no OffsetForm %d; use InRef, InPayload or NoOffsets", form)
	}
	return c.ask(func(m *keptMore) { m.form, m.formed = form, true })
}

// Resumed returns whether the client was new, or has recovered or lost what it missed, when it joined.
// It is 0 in Join, and for a client that gets neither offsets nor the newest messages.
func (c *Channel) Resumed() Resumed {
	if c.isNil() || c.kept == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.resumed
}

// ask notes what Join wants for its client.
func (c *Channel) ask(set func(*keptMore)) error {
	if c.isNil() {
		return errNilChannel
	}
	if t := c.socket.node.keeps(c.topic); t == nil || t.NoResume || c.kept == nil {
		return c.socket.node.errNotKept(c.topic)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != joining || c.kept.sub != nil {
		return errNotInJoin
	}
	if c.kept.more == nil {
		c.kept.more = &keptMore{rewind: -1}
	}
	set(c.kept.more)
	return nil
}

// settle decides how the channel gets the entries of its topic. Join has returned.
func (c *Channel) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, m := c.kept, c.kept.more
	switch {
	case m == nil: // the channel does not follow
		return
	case m.formed:
		k.form = m.form
	case m.since.inPayload:
		k.form = InPayload
	case m.since.kind != sinceNone:
		k.form = InRef
	}
	if k.form == NoOffsets && m.since.kind == sinceNone && m.rewind < 0 {
		k.more = nil
		return
	}
	k.mode = asEntries
	if c.intercepts != nil {
		k.mode, m.cursor = byExecutor, new(cursor)
	}
}

// beginning is from where a channel that follows begins.
type beginning struct {
	resumed Resumed
	reason  string          // of Lost
	from    follow.Position // unless atHead
	atHead  bool            // from the newest entry at the moment of the reply
}

// findPlace finds from where the channel begins. It may wait for the store, until the channel ends.
func (c *Channel) findPlace() {
	// Not the context of the channel, which would take memory until its end.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.mu.Lock()
	if c.state >= closed {
		c.mu.Unlock()
		return
	}
	c.extra().finding = cancel
	m := c.kept.more
	c.mu.Unlock()
	_ = c.kept.sub.Begin(ctx) // fails only when there is nobody to tell
	m.start = c.place(ctx, &m.since)
	if m.start.resumed != Recovered {
		if n := c.rewinds(); n > 0 {
			if p, err := c.kept.sub.Back(ctx, n); err == nil {
				m.start.from, m.start.atHead = p, false
			}
		}
	}
}

// place looks for the position of the client. No frame depends on it if ctx has ended.
func (c *Channel) place(ctx context.Context, s *since) beginning {
	switch s.kind {
	case sinceInvalid:
		return beginning{resumed: Lost, reason: reasonInvalid, atHead: true}
	case sinceAt:
	default:
		return beginning{resumed: New, atHead: true}
	}
	most := c.socket.node.keeps(c.topic).MaxReplay
	after, reason, err := c.kept.sub.Find(ctx, s.at, most)
	switch {
	case err != nil:
		return beginning{resumed: Lost, reason: string(follow.ReasonUnknown), atHead: true}
	case reason != "":
		return beginning{resumed: Lost, reason: string(reason), atHead: true}
	case after > most:
		return beginning{resumed: Lost, reason: reasonTooMany, atHead: true}
	}
	return beginning{resumed: Recovered, from: s.at}
}

// rewinds returns the number of entries that a new client, or one that has lost some, gets first.
func (c *Channel) rewinds() int {
	c.mu.Lock()
	m := c.kept.more
	c.mu.Unlock()
	if m != nil && m.rewind >= 0 {
		return m.rewind
	}
	if t := c.socket.node.keeps(c.topic); t != nil && c.kept.form != NoOffsets {
		return t.Rewind
	}
	return 0
}

// acceptTries bounds how often acceptKept looks for a moment without a new entry. After that the
// channel begins behind.
const acceptTries = 4

// acceptKept is accept for a channel that follows its topic. It queues the reply and then the position
// from which the channel goes on, both under the lock of the follower, so that no entry comes in between. It
// reports false if the channel has ended, and the join has no answer yet.
func (j *joinCall) acceptKept(reply transport.Frame) (opened bool) {
	c := j.ch
	k, m := c.kept, c.kept.more
	for try := 1; !opened; try++ {
		from := m.start.from
		if m.start.atHead {
			from = k.sub.Head()
		}
		f := c.resumeFrame(from, resumePayload{Status: m.start.resumed.String(), Reason: m.start.reason})
		over := false
		k.sub.Join(func(head follow.Position) {
			c.mu.Lock()
			defer c.mu.Unlock()
			switch over = c.state != joining; {
			case over:
			case m.start.atHead && from != head && try < acceptTries: // the frame would be old
			case !m.start.atHead && from.Epoch != head.Epoch && head.Epoch != "":
				m.start = beginning{resumed: Lost, reason: string(follow.ReasonEpoch), atHead: true}
			default:
				opened = true
				j.send(reply)
				c.sendIfLocked(f)
				c.beginLocked(from, head)
				c.openLocked(j.instance)
			}
		})
		if over {
			return false
		}
	}
	if m.start.resumed == Lost {
		c.sayLost(m.start.reason)
	}
	return true
}

// beginLocked sets the place of a channel that is about to open.
func (c *Channel) beginLocked(from, head follow.Position) {
	k := c.kept
	m := k.more
	k.last, k.resumed = from, m.start.resumed
	if m.cursor == nil && m.rewind < 0 {
		k.more = nil
	}
	if m.cursor != nil {
		m.cursor.told = from
	}
	if reaches(from, head) {
		return
	}
	if c.setBehindLocked(true); k.mode == byExecutor {
		c.postCursorLocked()
	} else {
		c.socket.replays().add(c)
	}
}

// sayLost counts and logs that a client is told that it has lost messages.
func (c *Channel) sayLost(reason string) {
	c.socket.node.stats.history.lose(reason)
	c.at(nil).say(notice.HistoryLost, slog.String("reason_told", reason))
}

// resumePayload is the payload of bennu:resume.
type resumePayload struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	Count  int    `json:"count,omitempty"`
}

// resumeFrame returns the frame that tells the client from where the channel goes on. It is empty for
// clients that get no offsets.
func (c *Channel) resumeFrame(at follow.Position, p resumePayload) transport.Frame {
	return c.positionFrame(eventResume, at, p)
}

// sendIfLocked queues a frame unless it is empty.
func (c *Channel) sendIfLocked(f transport.Frame) {
	if len(f.Bytes()) > 0 {
		c.socket.conn.Send(f)
	}
}

// positionFrame returns a message of the library with a position.
func (c *Channel) positionFrame(event string, at follow.Position, payload any) transport.Frame {
	if c.kept.form == NoOffsets {
		return transport.Frame{}
	}
	p, err := encode(payload)
	push := wire.Push{JoinRef: c.joinRef, Topic: c.topic, Event: event, Payload: p}
	if c.kept.form == InRef {
		push.Ref = refOf(at)
	} else {
		push.Payload.Data = withOffset(p.Data, at)
	}
	var f transport.Frame
	if err == nil {
		f, err = pushFrame(c.socket.serializer, &push)
	}
	if err != nil {
		c.at(nil).of(event).say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
	return f
}
