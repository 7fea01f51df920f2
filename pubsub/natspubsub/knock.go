package natspubsub

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

var _ cluster.Knocker = (*link)(nil)

// Knock implements cluster.Knocker. NATS answers a request that has no receiver ("no responders", since
// version 2.2). A second request, to a random subject, shows whether somebody subscribes to everything,
// such as a monitoring tool.
func (l *link) Knock(ctx context.Context, channel string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	heard, err := l.listens(ctx, channel)
	if err != nil || !heard {
		return 0, err
	}
	everything, err := l.listens(ctx, unknown(channel))
	switch {
	case err != nil:
		return 0, err
	case everything:
		return 0, cluster.ErrUncounted
	}
	return 1, nil
}

// listens reports whether a subject has receivers. The error is cluster.ErrUncounted for a server that
// cannot tell.
func (l *link) listens(ctx context.Context, subject string) (bool, error) {
	conn := l.conn.Load()
	if !conn.HeadersSupported() {
		return false, cluster.ErrUncounted // a server older than 2.2 does not answer
	}
	answer := unknown(subject) // below the prefix, to which this user may subscribe
	nobody := make(chan *nats.Msg, 1)
	sub, err := conn.ChanSubscribe(answer, nobody)
	if err != nil {
		return false, fmt.Errorf("NATS: subscribe: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	if err := conn.PublishRequest(subject, answer, []byte("?")); err != nil {
		return false, fmt.Errorf("NATS: publish: %w", err)
	}
	// The server answers in order, so its answer to the request comes before that to the flush.
	if err := conn.FlushWithContext(ctx); err != nil {
		return false, fmt.Errorf("NATS: flush: %w", err)
	}
	return len(nobody) == 0, nil
}

// unknown returns a random subject below another one.
func unknown(subject string) string { return fmt.Sprintf("%s.%x", subject, rand.Uint64()) }
