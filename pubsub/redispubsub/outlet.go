package redispubsub

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/internal/redisconn"
)

// outlet is the connection on which a session publishes. If it breaks, the next use makes another one.
// The session goes on, since a lost outlet, unlike a lost listener, does not miss messages. use and
// close may be called from any goroutine.
type outlet struct {
	t    *redisconn.Target
	addr string
	turn chan struct{} // a lock, held while conn is used, so that pipelines do not mix

	mu     sync.Mutex // guards conn, sticky and closed, so that close need not wait for turn
	conn   *redisconn.Connection
	sticky *redis.Conn
	closed bool

	after time.Time     // no new connection is made before; turn guards after and pause
	pause time.Duration // between the last attempt that failed and the next; doubles up to lastPause
}

func newOutlet(t *redisconn.Target, addr string) *outlet {
	return &outlet{t: t, addr: addr, turn: make(chan struct{}, 1)}
}

// errClosed is the error of an outlet or a listener that its session has closed.
var errClosed = errors.New("the connection is closed")

// use calls f with the connection, and makes one if there is none. Calls wait for each other, as far as
// ctx allows. If f returns an error of the connection, the connection is dropped. After a failed attempt
// to make one, use fails at once for a pause of 100 ms, which doubles up to 1 s.
func (o *outlet) use(ctx context.Context, f func(*redis.Conn) error) error {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	conn, err := o.get(ctx)
	if err != nil {
		return err
	}
	err = redisconn.Safely(func() error { return f(conn) })
	if err != nil && redisconn.Judge(err) == redisconn.Broken {
		o.drop()
	}
	return err
}

// get returns the connection, or a new one.
func (o *outlet) get(ctx context.Context) (*redis.Conn, error) {
	o.mu.Lock()
	sticky, closed := o.sticky, o.closed
	o.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case sticky != nil:
		return sticky, nil
	case time.Now().Before(o.after):
		return nil, redisconn.ErrUsedUp // otherwise each message would make an attempt
	}
	// mu is not held meanwhile, so close may come first.
	conn, err := o.t.Open(ctx, o.addr, o.t.User)
	if err != nil {
		o.pause = min(max(2*o.pause, firstPause), lastPause)
		o.after = time.Now().Add(o.pause)
		return nil, err
	}
	o.pause = 0
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		conn.Close()
		return nil, errClosed
	}
	// Commands of a Conn use one connection, in order.
	o.conn, o.sticky = conn, conn.Client.Conn()
	return o.sticky, nil
}

// drop ends the connection. The next use makes another. A command that waits for its answer fails, and
// its message may have been published.
func (o *outlet) drop() {
	o.mu.Lock()
	conn := o.conn
	o.conn, o.sticky = nil, nil
	o.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
}

// close ends the outlet. Later and running uses return an error.
func (o *outlet) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.drop()
}

// check asks the server for its kind and version. It returns a problem if the server does not fit the
// options, or is not a master: a message that is published at a replica reaches only subscribers of that
// replica. Other errors mean that the server cannot answer now.
func (o *outlet) check(ctx context.Context) error {
	var version string
	var problem error // after which the connection is as good as before
	err := o.use(ctx, func(c *redis.Conn) (err error) {
		version, err = o.t.Check(ctx, c, o.addr)
		if _, ok := errors.AsType[*redisconn.Problem](err); ok {
			problem, err = err, nil
		}
		return err
	})
	if err == nil {
		err = problem
	}
	if err == nil && o.t.Mode == redisconn.Cluster && tooOld(version) {
		return redisconn.Problemf("%s runs Redis %s, and sharded pub/sub needs 7.0; use a newer one", o.addr, version)
	}
	return err
}

// tooOld reports whether a server has no sharded pub/sub, which is new in Redis 7.0. Valkey reports a version
// of Redis from 7 on. A version that is no number is not too old.
func tooOld(version string) bool {
	first, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(first)
	return err == nil && major < 7
}
