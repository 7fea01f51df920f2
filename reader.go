package bennu

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/internal/follow"
)

// reader reads the history for one channel that is behind.
type reader struct {
	c       *Channel
	replays *replays
	count   int             // messages that were queued since the channel fell behind
	filling follow.Position // of the last Fill
	tries   int             // fills of that position
}

// step queues the next entries of the channel. It reports whether the reader goes on at once. It does
// not if the channel has become live, or has ended, or if a Fill puts the reader back into the list.
func (d *reader) step() (more bool) {
	c := d.c
	last, ok := c.placeOf()
	if !ok {
		return d.over()
	}
	most, bytes := c.socket.outbound().step()
	entries, state := c.kept.sub.Next(last, most, bytes)
	switch state {
	case follow.Some:
		return d.queue(last, entries)
	case follow.AtHead:
		return d.goLive(last)
	case follow.Missing:
		d.fill(last)
		return false
	}
	reason := c.goneReason(last)
	if c.rewinds() == 0 {
		return d.lose(last, reason)
	}
	// The newest entries may have to be read from the store, and other readers must not wait for that.
	c.socket.node.tasks.Go(func() {
		if d.lose(last, reason) {
			d.replays.insert(d)
		}
	})
	return false
}

// over ends the reader.
func (d *reader) over() (more bool) {
	if d.count > 0 {
		d.c.socket.node.stats.history.replays.Add(1)
	}
	return false
}

// placeOf returns the place of a channel that is behind. ok is false if it is not, or has ended.
func (c *Channel) placeOf() (last follow.Position, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.last, c.state != joining && c.state < closed && (c.kept.behind || c.kept.mode == byExecutor)
}

// isAtLocked reports whether the channel is still where a reader has found it.
func (c *Channel) isAtLocked(last follow.Position) bool {
	return c.state < closed && c.kept.last == last
}

// queue queues entries, which follow last. One that is too large for the client cannot be queued: the
// client is told that it has lost it.
func (d *reader) queue(last follow.Position, entries []*follow.Entry) (more bool) {
	c, r := d.c, d.replays
	r.frames = r.frames[:0]
	most, room := c.socket.outbound().step()
	for _, e := range entries {
		f := c.framesOf(e, c.kept.form, e.Event == "" || c.hasSent(e), false)
		if c.socket.isTooLarge(f) {
			if len(r.frames) == 0 {
				return d.passLarge(last, e, f)
			}
			break
		}
		// Names of topics and events may be longer than payloads, and some entries have two frames.
		n, bytes := f.size()
		most, room = most-n, room-bytes
		if len(r.frames) > 0 && (most < 0 || room < 0) {
			break
		}
		r.frames = append(r.frames, f)
	}
	frames := r.frames[:r.grant(len(r.frames))]
	defer clear(r.frames) // which would keep them in memory until the connection has room again
	c.mu.Lock()
	if !c.isAtLocked(last) {
		c.mu.Unlock()
		return true
	}
	n := 0
	for i, f := range frames {
		c.sendLocked(f)
		c.kept.last = entries[i].Position()
		if f.ok && !f.skipped {
			n++
		}
	}
	c.mu.Unlock()
	d.count += n
	c.socket.node.stats.history.replayed.Add(int64(n))
	return true
}

// passLarge passes an entry that is too large for the client, and tells it so.
func (d *reader) passLarge(last follow.Position, e *follow.Entry, f *entryFrames) (more bool) {
	c := d.c
	_ = c.socket.node.refuse(e.Message, &tooLarge{len(f.frame.Bytes()), c.socket.outbound().bytes / 4 * 3, "those with more room get it"})
	told := c.lostFrame(e.Position(), reasonTooLarge)
	c.mu.Lock()
	isTold := c.isAtLocked(last)
	if isTold {
		c.sendIfLocked(told)
		c.sentLocked(e.Position())
	}
	c.mu.Unlock()
	if isTold {
		c.sayLost(reasonTooLarge)
	}
	return true
}

// goLive makes the channel live if nothing follows last, and tells the client if it got anything.
func (d *reader) goLive(last follow.Position) (more bool) {
	if d.c.goLive(last, d.count) {
		return d.over()
	}
	return true
}

// goLive makes the channel live if nothing follows last. count is the number of messages that it got
// since it was behind. It reports whether the channel is live, or has ended.
func (c *Channel) goLive(last follow.Position, count int) (live bool) {
	f := c.resumeFrame(last, resumePayload{Status: "live", Count: count})
	ended := false
	c.kept.sub.Join(func(head follow.Position) {
		c.mu.Lock()
		defer c.mu.Unlock()
		ended = c.state >= closed
		if !c.isAtLocked(last) || !reaches(last, head) {
			return
		}
		if count > 0 {
			c.sendIfLocked(f)
		}
		c.setBehindLocked(false)
		live = true
		if c.kept.mode == byExecutor {
			c.kept.more.cursor.restLocked()
		}
	})
	return live || ended
}

// fill reads the entries after last from the store. The reader goes on when they are there. If the
// store fails it tries again, more and more slowly.
func (d *reader) fill(last follow.Position) {
	again := func() { d.replays.insert(d) }
	d.c.kept.sub.Fill(last, d.backoff(last, again))
}

// backoff returns a function that calls f: at once for the first fill of a position, and later for
// further ones.
func (d *reader) backoff(last follow.Position, f func()) func() {
	if d.filling != last {
		d.filling, d.tries = last, 0
	}
	d.tries++
	if d.tries == 1 {
		return f
	}
	wait := min(maxFillPause, fillPause<<min(d.tries-2, 10))
	return func() { time.AfterFunc(wait, f) }
}

// The pauses between fills of the same position.
const (
	fillPause    = 50 * time.Millisecond
	maxFillPause = 2 * time.Second
)

// goneReason returns the reason that the client is told if its place is not in the history any more.
func (c *Channel) goneReason(last follow.Position) string {
	if head := c.kept.sub.Head(); head.Epoch != last.Epoch {
		return string(follow.ReasonUnknown)
	}
	return string(follow.ReasonExpired)
}

// backTimeout bounds how long a reader waits for the newest entries.
const backTimeout = 5 * time.Second

// lose tells the client that it has lost messages, and goes on at the head, or before it if the topic
// has a Rewind.
func (d *reader) lose(last follow.Position, reason string) (more bool) {
	d.count = 0
	if !d.c.lose(last, reason) {
		return d.over()
	}
	return true
}

// lose is for readers and cursors. It reports false if there is nowhere to go on: the history was
// closed.
func (c *Channel) lose(last follow.Position, reason string) bool {
	from := c.kept.sub.Head()
	if n := c.rewinds(); n > 0 {
		ctx, cancel := context.WithTimeout(c.socket.node.ctx, backTimeout)
		defer cancel()
		if p, err := c.kept.sub.Back(ctx, n); err == nil {
			from = p
		}
	}
	if from == last {
		return false
	}
	f := c.lostFrame(from, reason)
	c.mu.Lock()
	told := c.isAtLocked(last)
	if told {
		c.sendIfLocked(f)
		c.sentLocked(from)
	}
	c.mu.Unlock()
	if told {
		c.sayLost(reason)
	}
	return true
}
