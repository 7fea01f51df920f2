package redispubsub

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// callTimeout bounds the answer to one command, or to one pipeline. Tests have more patience.
var callTimeout = 3 * time.Second

// connection is one connection to a server, with the client library on it. The
// library would make another when this one breaks, and subscribe again on its own, so
// that nobody hears of the gap; here it cannot.
type connection struct {
	raw    net.Conn
	client *redis.Client
}

var errUsedUp = errors.New("the connection was lost")

// open connects to addr. It logs in with the first command.
func (t *target) open(ctx context.Context, addr string, user login) (*connection, error) {
	raw, err := t.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	guarded := newGuard(raw)
	var used atomic.Bool
	return &connection{raw, redis.NewClient(&redis.Options{
		Network: t.network, Addr: addr,
		Username: user.name, Password: user.password,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errUsedUp
			}
			return guarded, nil
		},
		// With version 3 of the protocol the library reads in between, for
		// notices that are not asked for here.
		Protocol:                 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DisableIdentity:          true,
		MaxRetries:               -1, DialerRetries: 1, DialTimeout: t.dialTimeout,
		ReadTimeout: callTimeout, WriteTimeout: callTimeout, ContextTimeoutEnabled: true,
		PoolSize: 1, PipelinePoolSize: -1, ConnMaxIdleTime: -1,
	})}, nil
}

// dial makes a connection without logging in.
func (t *target) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.dialTimeout)
	defer cancel()
	var plain net.Dialer
	if t.tls == nil {
		return plain.DialContext(ctx, t.network, addr)
	}
	return (&tls.Dialer{NetDialer: &plain, Config: t.tls}).DialContext(ctx, t.network, addr)
}

// close ends the connection. Whoever waits for it gets an error.
func (c *connection) close() {
	_ = c.raw.Close() // first: the client's locks may be held by who waits
	_ = c.client.Close()
}

// ask opens a connection for one question.
func (t *target) ask(ctx context.Context, addr string, user login, question func(context.Context, *redis.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.dialTimeout+callTimeout)
	defer cancel()
	c, err := t.open(ctx, addr, user)
	if err != nil {
		return err
	}
	defer c.close()
	defer context.AfterFunc(ctx, func() { _ = c.raw.Close() })()
	return safely(func() error { return question(ctx, c.client.Conn()) })
}
