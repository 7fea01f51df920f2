package redispubsub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// outlet is the connection of a session on which it publishes. When that breaks it
// is made anew: nothing is missed here by that.
type outlet struct {
	t    *target
	addr string
	turn chan struct{} // holds who uses conn: pipelines go one after the other

	mu     sync.Mutex // of conn and closed alone: close does not wait for a turn
	conn   *connection
	sticky *redis.Conn
	closed bool

	after time.Time // no new connection before that
	pause time.Duration
}

func newOutlet(t *target, addr string) *outlet {
	return &outlet{t: t, addr: addr, turn: make(chan struct{}, 1)}
}

var errClosed = errors.New("the connection is closed")

// use calls f with the connection, making one if there is none. An error of f that
// says that it is broken ends it.
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
	err = safely(func() error { return f(conn) })
	if err != nil && judge(err) == broken {
		o.drop()
	}
	return err
}

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
		return nil, errUsedUp
	}
	conn, err := o.t.open(ctx, o.addr, o.t.user)
	if err != nil {
		o.pause = min(max(2*o.pause, firstPause), lastPause)
		o.after = time.Now().Add(o.pause)
		return nil, err
	}
	o.pause = 0
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		conn.close()
		return nil, errClosed
	}
	o.conn, o.sticky = conn, conn.client.Conn()
	return o.sticky, nil
}

// drop ends the connection but not the outlet.
func (o *outlet) drop() {
	o.mu.Lock()
	conn := o.conn
	o.conn, o.sticky = nil, nil
	o.mu.Unlock()
	if conn != nil {
		conn.close()
	}
}

// close ends the outlet; who uses it gets an error.
func (o *outlet) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.drop()
}

// check looks whether the server is one to publish at: of the right kind, and a
// master. What a replica is told stays with its own subscribers.
func (o *outlet) check(ctx context.Context) error {
	var told map[string]any
	err := o.use(ctx, func(c *redis.Conn) (err error) {
		told, err = c.Hello(ctx, 2, "", "", "").Result()
		return err
	})
	var said redis.Error
	if errors.As(err, &said) {
		if judge(err) == away {
			return err
		}
		return nil // older than Redis 6, or not permitted: it goes without
	}
	if err != nil {
		return err
	}
	kind, role, version := fmt.Sprint(told["mode"]), fmt.Sprint(told["role"]), fmt.Sprint(told["version"])
	switch {
	case kind == "sentinel":
		return problemf("%s is a Sentinel; set option MasterName, and list the Sentinels in Addrs", o.addr)
	case kind == "cluster" && o.t.mode != modeCluster:
		return problemf("%s is a node of a cluster; set option Cluster", o.addr)
	case kind == "standalone" && o.t.mode == modeCluster:
		return problemf("%s is no node of a cluster; leave option Cluster out", o.addr)
	case o.t.mode == modeCluster && tooOld(version):
		return problemf("%s runs Redis %s, and sharded pub/sub needs 7.0; use a newer one", o.addr, version)
	case role == "replica" || role == "slave":
		return problemf("%s is a replica, and nodes must meet at the master; name that one, or use Sentinel", o.addr)
	}
	return nil
}

func tooOld(version string) bool {
	first, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(first)
	return err == nil && major < 7
}
