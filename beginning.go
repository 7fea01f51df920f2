package bennu

import (
	"context"
	"log/slog"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
)

// beginning is from where a channel that follows begins.
type beginning struct {
	resumed Resumed
	reason  string          // of Lost
	from    follow.Position // unless atHead
	atHead  bool            // from the newest entry at the moment of the reply
}

// Reasons of Lost beside those of package follow. They go to clients.
const (
	reasonInvalid  = "invalid"   // not a position
	reasonTooMany  = "too_many"  // more than history.Topic.MaxReplay were missed
	reasonTooLarge = "too_large" // a message does not fit the queue of the client
)

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
				c.noteBeginning(from)
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
