package link

import (
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
)

const (
	// idleGrace is how long Read may take after the idle timeout, so that it can return a message
	// that came while the whole process stood still.
	idleGrace = 50 * time.Millisecond
	// writeGrace is how long a Write or a Close may run on after its deadline.
	writeGrace = 500 * time.Millisecond
	// holdMost is how long a receiver may keep the reader from reading.
	holdMost = 15 * time.Minute
	// stuckAfter is how long a connection may take to be over after Link.Close(0) was called,
	// before that is logged.
	stuckAfter = 10 * time.Second
)

// never is a time that is never reached.
const never time.Duration = math.MaxInt64

// A limit is a time at which something happens unless the connection makes progress before. reached
// is called under conn.mu. The function that it returns writes a log line and is called after
// conn.mu is released, since logs belong to the program.
type limit struct {
	at      time.Duration
	reached func(c *conn) (say func())
}

// nextLocked returns the limit that is reached first.
func (c *conn) nextLocked() limit {
	next := limit{at: never}
	first := func(at time.Duration, reached func(*conn) func()) {
		if at < next.at {
			next = limit{at, reached}
		}
	}
	switch {
	case c.cut:
		if c.stuckBy != 0 {
			first(c.stuckBy, (*conn).stuckLocked)
		}
		return next
	case c.ended && c.flushed:
		first(c.closeBy, (*conn).lateLocked)
	case c.ended:
		first(c.closeBy+writeGrace, (*conn).lateLocked)
	case c.held:
		first(c.heldSince+holdMost, (*conn).notReadLocked)
	case c.lim.idle > 0 && !c.inGrace:
		first(c.heard+c.lim.idle, (*conn).graceLocked)
	case c.lim.idle > 0:
		first(c.heard+c.lim.idle+idleGrace, (*conn).idleLocked)
	}
	if c.writeBy != 0 {
		first(c.writeBy+writeGrace, (*conn).lateLocked)
	}
	return next
}

// lateLocked is called when a Write, a Close or the linger time takes too long.
func (c *conn) lateLocked() func() {
	if c.ended {
		c.cutLocked()
	} else {
		c.endLocked(0, transport.ErrSlowConsumer)
	}
	return nil
}

// graceLocked is called at the idle timeout: Read gets idleGrace more.
func (c *conn) graceLocked() func() {
	c.inGrace = true
	return nil
}

// idleLocked is called when Read has returned nothing for the idle timeout and idleGrace.
func (c *conn) idleLocked() func() {
	c.endLocked(transport.CloseProtocolError, transport.ErrIdle)
	return nil
}

// notReadLocked is called when the receiver has kept the reader from reading for holdMost.
func (c *conn) notReadLocked() func() {
	c.endLocked(transport.CloseTryAgainLater, &transport.ClosedError{Code: transport.CloseTryAgainLater})
	return func() {
		c.group.book.Say(notice.NotRead, c.about(slog.Duration("limit", holdMost), slog.Int("code", int(transport.CloseTryAgainLater)))...)
	}
}

// stuckLocked is called when a connection that was cut is not over after stuckAfter. It logs which
// methods of the link have not returned.
func (c *conn) stuckLocked() func() {
	c.stuckBy = 0
	var methods []string
	if c.away && !c.held {
		methods = append(methods, "Read")
	}
	if c.writing {
		methods = append(methods, "Write or Close")
	}
	if !c.closed {
		methods = append(methods, "Close(0)")
	}
	if methods == nil {
		return nil // the receiver has not returned, which is not the link's fault
	}
	return func() {
		c.group.book.Say(notice.LinkStuck, c.about(slog.String("method", strings.Join(methods, ", ")), slog.Duration("limit", stuckAfter))...)
	}
}

// armLocked sets the timer for the next limit, unless it fires earlier anyway. tick then sets it
// again, so that it need not be set for each message.
func (c *conn) armLocked() {
	at := c.nextLocked().at
	if at == never || c.due != 0 && c.due <= at {
		return
	}
	c.due = at
	in := max(0, at-c.group.now())
	if c.timer == nil {
		c.timer = time.AfterFunc(in, c.tick)
	} else {
		c.timer.Reset(in)
	}
}

// tick is called by the timer. It acts on the next limit if that is reached.
func (c *conn) tick() {
	var say func()
	c.mu.Lock()
	c.due = 0
	if next := c.nextLocked(); c.group.now() >= next.at {
		say = next.reached(c)
	}
	c.armLocked()
	c.mu.Unlock()
	if say != nil {
		say()
	}
}
