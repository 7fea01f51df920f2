package bennu

import (
	"time"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/follow"
)

// cursor is the place of a channel that follows its topic and intercepts events. Its executor takes
// one entry at a time, between other items: the mailbox has one item that stands for all entries. So
// entries do not fill the mailbox, and what the handlers push waits for room as a replay does.
// Channel.mu guards the fields, except those that only the executor uses.
type cursor struct {
	posted bool            // the item is in the mailbox, or will be put there
	now    *follow.Entry   // in HandleOut
	told   follow.Position // the last position that the client was sent
	silent int             // entries that have passed since then
	timer  *time.Timer     // tells the client of them; made on demand

	reader reader // for its count and its pauses; only the executor uses it
}

// The client gets nothing of an entry whose handler does not forward it. It is told the position after
// maxSilent of them, or after silentTime.
const (
	maxSilent  = 64
	silentTime = time.Second
)

// wakeCursor makes the executor take an entry that has arrived.
func (c *Channel) wakeCursor() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != joining && !c.kept.more.cursor.posted {
		c.postCursorLocked()
	}
}

// postCursorLocked puts the item into the mailbox, whose bounds do not apply to it.
func (c *Channel) postCursorLocked() {
	if c.state >= closed {
		return
	}
	c.kept.more.cursor.posted = true
	c.box.push(item{kind: itemEntry})
	c.startLocked()
}

// postCursor puts the item into the mailbox again. No other is there.
func (c *Channel) postCursor() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.postCursorLocked()
}

// restLocked notes that nothing follows.
func (u *cursor) restLocked() { u.posted, u.reader.count = false, 0 }

// stop ends the timer. Channel.mu is held.
func (u *cursor) stop() {
	if u.timer != nil {
		u.timer.Stop()
	}
}

// nextEntry handles the next entry. The executor calls it.
func (c *Channel) nextEntry() {
	if c.socket.draining.Load() {
		return // the client goes on elsewhere
	}
	if conn, ok := c.socket.conn.(ability.Offerer); ok && !conn.OnLow(c.postCursor) {
		return
	}
	last, ok := c.placeOf()
	if !ok {
		return
	}
	u := c.kept.more.cursor
	entries, state := c.kept.sub.Next(last, 1, stepBytes)
	switch state {
	case follow.Some:
		if !c.handEntry(entries[0]) {
			return
		}
	case follow.AtHead:
		if c.goLive(last, u.reader.count) {
			return
		}
	case follow.Missing:
		c.kept.sub.Fill(last, u.reader.backoff(last, c.postCursor))
		return
	default:
		if !c.lose(last, c.goneReason(last)) {
			return
		}
	}
	c.postCursor()
}

// handEntry passes an entry on when the connection has room for it. It reports false if the cursor is
// posted again when it has.
func (c *Channel) handEntry(e *follow.Entry) bool {
	r, bytes := c.socket.replays(), len(e.Topic)+len(e.Event)+len(e.Payload)
	if !r.take(c, bytes) {
		return false
	}
	defer r.giveBack(bytes) // also after a panic
	// Only now: what other handlers have given back is in the queue.
	if conn, ok := c.socket.conn.(ability.Offerer); ok && !conn.OnLow(c.postCursor) {
		return false
	}
	if !c.mayReplay() {
		return false
	}
	c.takeEntry(e)
	return true
}

// mayReplay reports whether Limits.ReplayRate allows one more entry. If not, the executor goes on
// when it does. A channel that has caught up is not bound by it.
func (c *Channel) mayReplay() bool {
	c.mu.Lock()
	behind := c.kept.behind
	c.mu.Unlock()
	if !behind {
		return true
	}
	r := c.socket.replays()
	if r.grant(1) == 1 {
		return true
	}
	r.mu.Lock()
	wait := r.pauseLocked()
	r.mu.Unlock()
	time.AfterFunc(wait, c.postCursor)
	return false
}

// takeEntry passes an entry on to the client, or to HandleOut if it is intercepted.
func (c *Channel) takeEntry(e *follow.Entry) {
	skipped := e.Event == "" || c.hasSent(e)
	if skipped || !c.intercepted(e.Event) {
		c.passEntry(e, skipped)
		return
	}
	payload := Payload{Data: e.Payload, Binary: e.Binary}
	h := c.handlerContext(&item{kind: itemOut, event: e.Event, payload: payload})
	u := c.kept.more.cursor
	c.mu.Lock()
	c.runs, u.now = h, e
	c.mu.Unlock()
	err := c.instance.HandleOut(h, e.Event, payload)
	c.obey(c.atEntry(h, e), err)
	c.mu.Lock()
	c.runs, u.now = nil, nil
	c.mu.Unlock()
	c.moveTo(e)
}

// passEntry sends an entry that is not intercepted.
func (c *Channel) passEntry(e *follow.Entry, skipped bool) {
	f := c.framesOf(e, c.kept.form, skipped, false)
	if c.socket.isTooLarge(f) {
		(&reader{c: c}).passLarge(c.lastPlace(), e, f)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= closed {
		return
	}
	c.sendLocked(f)
	c.sentLocked(e.Position())
	if f.ok && !f.skipped {
		c.countReplayedLocked()
	}
}

// lastPlace returns the place of the channel.
func (c *Channel) lastPlace() follow.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.last
}

// countReplayedLocked counts a message that the client gets.
func (c *Channel) countReplayedLocked() {
	if c.kept.behind {
		c.kept.more.cursor.reader.count++
		c.socket.node.stats.history.replayed.Add(1)
	}
}

// toldLocked notes a position that was sent to the client.
func (u *cursor) toldLocked(p follow.Position) { u.told, u.silent = p, 0 }

// moveTo sets the place of the channel after HandleOut has returned. If nothing was forwarded, the
// client is told the position later.
func (c *Channel) moveTo(e *follow.Entry) {
	c.mu.Lock()
	u := c.kept.more.cursor
	if c.state >= closed || c.kept.last == e.Position() {
		c.mu.Unlock()
		return
	}
	c.kept.last = e.Position()
	u.silent++
	if u.silent == 1 {
		if u.timer == nil {
			u.timer = time.AfterFunc(silentTime, c.tellPassed)
		} else {
			u.timer.Reset(silentTime)
		}
	}
	full := u.silent >= maxSilent
	c.mu.Unlock()
	if full {
		c.tellPassed()
	}
}

// tellPassed tells the client the position of entries that have passed in silence.
func (c *Channel) tellPassed() {
	at := c.lastPlace()
	f := c.positionFrame(c.joinRef, eventOffset, at, emptyPayload)
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.kept.more.cursor
	if c.state >= closed || u.silent == 0 {
		return
	}
	if c.kept.last == at {
		c.sendIfLocked(f)
		u.toldLocked(at)
	} else {
		u.timer.Reset(silentTime) // another entry has passed meanwhile
	}
}
