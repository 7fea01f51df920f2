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
	// idleGrace is how long Read may take when the idle timeout is over, so that it can return a
	// message that came while the whole process stood still.
	idleGrace = 50 * time.Millisecond
	// writeGrace is how long a Write or a Close may run on after its deadline.
	writeGrace = 500 * time.Millisecond
	// holdMost is how long a receiver may hold the reader back.
	holdMost = 15 * time.Minute
	// stuckAfter is how long a connection may take to end after Link.Close(0) was called.
	stuckAfter = 10 * time.Second
)

// never is a time that does not come.
const never time.Duration = math.MaxInt64

// A limit is a time at which something happens unless something else does before. The function that
// reached returns is called when conn.mu is free again: logs belong to the program.
type limit struct {
	at      time.Duration
	reached func(c *conn) (say func())
}

// nextLocked is the limit that the connection comes to first.
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
	case c.lim.idle > 0 && !c.doubted:
		first(c.heard+c.lim.idle, (*conn).doubtLocked)
	case c.lim.idle > 0:
		first(c.heard+c.lim.idle+idleGrace, (*conn).idleLocked)
	}
	if c.writeBy != 0 {
		first(c.writeBy+writeGrace, (*conn).lateLocked)
	}
	return next
}

// lateLocked is the limit of a Write, of a Close and of the linger time.
func (c *conn) lateLocked() func() {
	if c.ended {
		c.cutLocked()
	} else {
		c.endLocked(0, transport.ErrSlowConsumer)
	}
	return nil
}

func (c *conn) doubtLocked() func() {
	c.doubted = true
	return nil
}

func (c *conn) idleLocked() func() {
	c.endLocked(transport.CloseProtocolError, transport.ErrIdle)
	return nil
}

func (c *conn) notReadLocked() func() {
	c.endLocked(transport.CloseTryAgainLater, &transport.ClosedError{Code: transport.CloseTryAgainLater})
	return func() {
		c.group.book.Say(notice.NotRead, c.about(slog.Duration("limit", holdMost), slog.Int("code", int(transport.CloseTryAgainLater)))...)
	}
}

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
		return nil // it is the receiver that has not returned
	}
	return func() {
		c.group.book.Say(notice.LinkStuck, c.about(slog.String("method", strings.Join(methods, ", ")), slog.Duration("limit", stuckAfter))...)
	}
}

// armLocked sets the timer, unless it fires early enough as it is. One that fires too early
// looks again: so it is not set anew for each message.
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

// tick looks at the limits. The timer calls it.
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
