package redisconn

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

// CallTimeout bounds the wait for the answer to a command or a pipeline. It does not bound the reads
// of a listener, whose topics may be silent for long. Tests raise it.
var CallTimeout = 3 * time.Second

// Connection is one connection to a server, with a client of the library that uses it. The client must
// not make another connection when this one breaks: it would subscribe again by itself, and the gap
// would not be noticed. So its Dialer returns the connection once, and fails from then on.
type Connection struct {
	Raw    net.Conn
	Client *redis.Client
}

// ErrUsedUp is the error of a client whose only connection is lost, and of an outlet that pauses after
// a failed attempt to connect.
var ErrUsedUp = errors.New("the connection was lost")

// Open connects to addr, within DialTimeout. The client logs in with its first command, so a wrong
// password is the error of that command.
func (t *Target) Open(ctx context.Context, addr string, user Login) (*Connection, error) {
	raw, err := t.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	guarded := newGuard(raw)
	var used atomic.Bool // the library has taken the connection; there is no other
	return &Connection{raw, redis.NewClient(&redis.Options{
		Network: t.network, Addr: addr,
		Username: user.Name, Password: user.Password,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, ErrUsedUp
			}
			return guarded, nil
		},
		// With version 3 of the protocol the library also reads notifications between
		// commands, which nothing here needs.
		Protocol:                 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		// Do not send CLIENT SETINFO, which an ACL may forbid.
		DisableIdentity: true,
		// Callers decide what to try again: the library would not know whether a message has
		// been published.
		MaxRetries: -1, DialerRetries: 1, DialTimeout: t.dialTimeout,
		// Without ContextTimeoutEnabled the library ignores the deadlines of contexts.
		ReadTimeout: CallTimeout, WriteTimeout: CallTimeout, ContextTimeoutEnabled: true,
		// One connection, for pipelines too, which stays open however long it is idle.
		PoolSize: 1, PipelinePoolSize: -1, ConnMaxIdleTime: -1,
	})}, nil
}

// dial makes a network connection, with TLS if it is configured. DialTimeout bounds both.
func (t *Target) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.dialTimeout)
	defer cancel()
	var plain net.Dialer
	if t.TLS == nil {
		return plain.DialContext(ctx, t.network, addr)
	}
	return (&tls.Dialer{NetDialer: &plain, Config: t.TLS}).DialContext(ctx, t.network, addr)
}

// Close ends the connection. Calls that wait for it return an error. It may be called from any
// goroutine, and more than once.
func (c *Connection) Close() {
	_ = c.Raw.Close() // before the client, whose locks may be held by a call that waits
	_ = c.Client.Close()
}

// Ask opens a connection, calls question with it, and closes it. It takes DialTimeout and callTimeout
// at most; the end of ctx closes the connection early.
func (t *Target) Ask(ctx context.Context, addr string, user Login, question func(context.Context, *redis.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.dialTimeout+CallTimeout)
	defer cancel()
	c, err := t.Open(ctx, addr, user)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Raw.Close() })()
	return Safely(func() error { return question(ctx, c.Client.Conn()) })
}
