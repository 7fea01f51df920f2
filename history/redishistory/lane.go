package redishistory

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/internal/redisconn"
)

const (
	// maxBatch and maxBatchBytes bound the calls of a pipeline. The last one may exceed
	// maxBatchBytes.
	maxBatch      = 128
	maxBatchBytes = 256 << 10
	// firstPause and lastPause are the least and the longest time between attempts to connect. Calls
	// fail at once meanwhile.
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// lane is one connection to a server, which sends calls in pipelines: while the answers of one are
// awaited, the next calls gather. So many nodes and topics share a round trip when there is much to do, and
// one call alone waits for nobody. If the connection breaks, the next call makes another one.
//
// A pool of connections would not keep the calls of one goroutine in order, and would need as many connections
// as calls. That the lane knows which calls it has sent decides between ErrUnavailable and ErrUnknown.
type lane struct {
	r     *router
	addr  string          // "" with Sentinels, which are asked each time
	queue chan *call      // of calls that wait; a call behind those waits in do
	ctx   context.Context // ends with the lane
	stop  context.CancelFunc
	gone  chan struct{} // closed when the goroutine has ended
	anew  atomic.Bool   // the next pipeline needs another connection

	// These belong to the goroutine.
	conn  *redisconn.Connection
	redis *redis.Conn
	forgo func() bool // undoes that the end of the lane ends conn
	at    string      // the address of conn, or of the last attempt
	after time.Time
	pause time.Duration
	fault error // of the last attempt
}

// do gives a call to the lane and waits for the answer. When the queue is full it waits for room, and a
// call that its caller gives up there has certainly not been sent.
func (l *lane) do(ctx context.Context, c *call) error {
	select {
	case l.queue <- c:
		return c.await(ctx, l.gone)
	case <-ctx.Done():
		return ended(ctx)
	case <-l.ctx.Done():
		return unavailable(errGone)
	}
}

// run sends calls until the lane is stopped. Those that wait then are left to their callers.
func (l *lane) run() {
	defer close(l.gone)
	defer l.drop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case first := <-l.queue:
			l.pipeline(first)
		}
	}
}

// pipeline sends a call, and those that wait behind it.
func (l *lane) pipeline(first *call) {
	if l.anew.Swap(false) {
		l.drop()
	}
	// Nothing is taken before there is a connection, so that callers can leave with certainty.
	err := l.connect()
	calls := l.gather(first)
	if len(calls) == 0 {
		return
	}
	if err != nil {
		l.r.stale.Store(true)
		for _, c := range calls {
			c.finish(unavailable(err), false)
		}
		return
	}
	l.send(calls, false)
}

// gather takes the calls of one pipeline that their callers have not left.
func (l *lane) gather(c *call) (calls []*call) {
	for size := 0; ; {
		if c.state.CompareAndSwap(waiting, taken) {
			calls = append(calls, c)
			size += c.size
		}
		if len(calls) == maxBatch || size >= maxBatchBytes {
			return calls
		}
		select {
		case c = <-l.queue:
		default:
			return calls
		}
	}
}

// send sends calls, by the names of their scripts unless text is set. Scripts that the server does not
// know are sent again with their text. A server forgets them when it restarts, and a replica that takes
// over may not have them.
func (l *lane) send(calls []*call, text bool) {
	// The library bounds the wait for answers by redisconn.CallTimeout.
	commands := make([]*redis.Cmd, len(calls))
	err := redisconn.Safely(func() error {
		_, err := l.redis.Pipelined(context.Background(), func(p redis.Pipeliner) error {
			for i, c := range calls {
				if c.asking {
					p.Do(context.Background(), "asking")
				}
				commands[i] = p.Do(context.Background(), c.command(text)...)
			}
			return nil
		})
		return err
	})
	l.finish(calls, commands, err, text)
}

// finish gives the answers of a pipeline to its calls. err is that of the pipeline. An error that the
// server has sent is about one call; any other is about the connection, and then all calls without an
// answer are unknown.
func (l *lane) finish(calls []*call, commands []*redis.Cmd, err error, text bool) {
	var strange []*call // whose scripts the server does not know
	drop := err != nil && redisconn.Judge(err) == redisconn.Broken
	for i, c := range calls {
		c.addr = l.at
		fault := err
		if commands[i] != nil {
			c.reply, fault = commands[i].Slice()
		}
		switch {
		case fault == nil:
			c.finish(nil, true)
		case strings.HasPrefix(fault.Error(), "NOSCRIPT") && !text:
			strange = append(strange, c)
		default:
			verdict := redisconn.Judge(fault)
			// A server that has become a replica, starts or has lost its cluster is left.
			drop = drop || verdict == redisconn.Broken || verdict == redisconn.Away && !busy(fault)
			c.finish(fault, verdict == redisconn.Broken)
		}
	}
	switch {
	case drop: // the calls in strange were answered, with a refusal
		l.r.suspect(l.addr)
		l.drop()
		for _, c := range strange {
			c.finish(redisconn.ErrUsedUp, false)
		}
	case len(strange) > 0:
		l.send(strange, true)
	}
}

// busy reports whether an error is about this moment, and not about the server.
func busy(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "BUSY") || strings.HasPrefix(text, "TRYAGAIN")
}

// connect makes a connection if there is none. After a failed attempt it fails at once for a pause:
// callers have their own pauses, and a server that comes back must not be flooded with logins.
func (l *lane) connect() error {
	if l.conn != nil {
		return nil
	}
	if time.Now().Before(l.after) {
		return l.fault
	}
	l.fault = l.open()
	if l.fault == nil {
		l.pause = 0
		return nil
	}
	l.drop()
	l.pause = min(max(2*l.pause, firstPause), lastPause)
	l.after = time.Now().Add(l.pause)
	return l.fault
}

// open makes a connection to the master, and logs in. It takes DialTimeout at most, and as long again with
// Sentinels. A server that is a replica by now is refused, so that nothing is read there.
func (l *lane) open() (err error) {
	t := l.r.target
	l.at = l.addr
	if t.Mode == redisconn.Sentinel {
		if l.at, err = t.Locate(l.ctx); err != nil {
			return err
		}
	}
	conn, err := t.Open(l.ctx, l.at, t.User)
	if err != nil {
		return t.Explain(l.at, t.User, err)
	}
	l.conn, l.redis = conn, conn.Client.Conn()
	// The end of the lane ends the connection, for which a call may wait.
	l.forgo = context.AfterFunc(l.ctx, conn.Close)
	return t.Explain(l.at, t.User, redisconn.Safely(func() error {
		_, err := t.Check(l.ctx, l.redis, l.at)
		return err
	}))
}

// drop ends the connection, if there is one. No call of the lane waits for it: those that were sent have been
// finished, and the goroutine of the lane is the only one that sends.
func (l *lane) drop() {
	if l.conn != nil {
		l.forgo()
		l.conn.Close()
	}
	l.conn, l.redis = nil, nil
}
