package bennu

import (
	"context"
	"log/slog"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
)

// beginning is the place in the log at which a channel that follows its topic begins, and what its client
// is told of that.
type beginning struct {
	resumed Resumed
	reason  string          // of Lost
	from    follow.Position // the entries after it are sent; not used with atHead
	atHead  bool            // the channel begins at the newest entry at the time when the reply is queued
}

// Reasons of Lost beside those of package follow. They go to clients.
const (
	reasonInvalid  = "invalid"   // not a position
	reasonTooMany  = "too_many"  // more than history.Topic.MaxReplay were missed
	reasonTooLarge = "too_large" // a message does not fit the queue of the client
)

// chooseMode decides how the channel gets the entries of its topic, when Join has returned. The form
// that Join has chosen with Offsets takes precedence over the form of the client's position. A channel
// without a form, a position and a Rewind does not follow.
func (c *Channel) chooseMode() {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, m := c.kept, c.kept.more
	switch {
	case m == nil: // nobody has asked for anything
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
	if c.intercepts != nil { // its handlers run in the executor, in the order of the log
		k.mode, m.cursor = byExecutor, new(cursor)
	}
}

// findPlace finds where the channel begins. It may wait for the store, until the channel ends. The channel
// is subscribed already, so that nothing is missed between this and the reply.
func (c *Channel) findPlace() {
	if c.recoversAtOnce() {
		return
	}
	// Not the context of the channel: once made, that takes memory until the channel ends.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.mu.Lock()
	if c.state >= closed {
		c.mu.Unlock()
		return
	}
	c.extra().finding = cancel // forgetHistoryLocked calls it
	m := c.kept.more
	c.mu.Unlock()
	// A client needs a position even in a topic that has had no message yet.
	_ = c.kept.sub.Begin(ctx) // fails only when there is nobody to tell
	m.start = c.lookUp(ctx, &m.since)
	if m.start.resumed != Recovered {
		if n := c.rewinds(); n > 0 {
			// After an error the channel begins at the head: there is no client any more that could miss something.
			if p, err := c.kept.sub.Back(ctx, n); err == nil {
				m.start.from, m.start.atHead = p, false
			}
		}
	}
}

// recoversAtOnce is findPlace for a client that recovers, if this node knows that without the store. That
// is so for most that come back, so it does without a context.
func (c *Channel) recoversAtOnce() bool {
	c.mu.Lock()
	m := c.kept.more
	c.mu.Unlock()
	if m.since.kind != sinceAt {
		return false
	}
	most := c.socket.node.keeps(c.topic).MaxReplay
	after, reason, ok := c.kept.sub.Known(m.since.at, most)
	if !ok || reason != "" || after > most {
		return false
	}
	m.start = beginning{resumed: Recovered, from: m.since.at}
	return true
}

// lookUp looks for the position of the client in the log. The error is that of ctx, which ends with the
// channel: then no frame is sent, and the result does not matter.
func (c *Channel) lookUp(ctx context.Context, s *since) beginning {
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

// acceptKept is accept for a channel that follows its topic. It reports false if the channel has ended, and
// the join has no answer yet.
func (j *joinCall) acceptKept(reply transport.Frame) (opened bool) {
	m := j.ch.kept.more // which beginLocked may drop
	for try := 1; !opened; try++ {
		var over bool
		if opened, over = j.tryKept(reply, &m.start, try < acceptTries); over {
			return false
		}
	}
	if m.start.resumed == Lost {
		j.ch.sayLost(m.start.reason)
	}
	return true
}

// tryKept queues the reply and then the position from which the channel goes on, both under the lock of the
// follower, so that no entry comes in between. It reports neither if it must be called again: the frame
// is encoded before, without locks, and is not that of this moment any more. fresh says that the frame must
// be that of the head, if the channel begins there. over says that the channel has ended.
func (j *joinCall) tryKept(reply transport.Frame, start *beginning, fresh bool) (opened, over bool) {
	c := j.ch
	from := start.from
	if start.atHead {
		from = c.kept.sub.Head()
	}
	f := c.beginningFrame(from, start)
	c.kept.sub.Join(func(head follow.Position) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case c.state != joining:
			over = true
		case start.atHead && from != head && fresh: // an entry has come meanwhile
		case !start.atHead && from.Epoch != head.Epoch && head.Epoch != "": // the log has broken since findPlace
			*start = beginning{resumed: Lost, reason: string(follow.ReasonEpoch), atHead: true}
		default:
			opened = true
			j.send(reply)
			c.sendIfLocked(f)
			c.beginLocked(from, head)
			c.noteBeginning(from)
			c.openLocked(j.instance)
		}
	})
	return opened, over
}

// beginLocked sets the place of a channel that is about to open: it is live if nothing follows from, and
// otherwise behind. The lock of the follower is held, so that head stays the head.
func (c *Channel) beginLocked(from, head follow.Position) {
	k := c.kept
	m := k.more
	k.last, k.resumed = from, m.start.resumed
	if m.cursor == nil && m.rewind < 0 { // the join alone needed it
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
