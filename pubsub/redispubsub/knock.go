package redispubsub

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

var _ cluster.Knocker = (*link)(nil)

// Knock implements cluster.Knocker. PUBLISH returns the number of receivers, including those that
// subscribe to a pattern, such as a monitoring tool. They are counted with a second message, to a
// random channel that has no other receivers, and subtracted. The channel begins with the name of the
// first one, so that it fits the same patterns, and needs no other permission. A cluster counts no
// patterns, so one message is enough there.
func (l *link) Knock(ctx context.Context, channel string) (int, error) {
	l.mu.Lock()
	x := l.owner(channel).session
	l.mu.Unlock()
	if x == nil {
		return 0, fmt.Errorf("redispubsub: %w", cluster.ErrAway)
	}
	var listeners int64
	err := x.outlet.use(ctx, func(c *redis.Conn) (err error) {
		if l.target.Mode == redisconn.Cluster { // there are no patterns
			listeners, err = c.SPublish(ctx, channel, "?").Result()
			return err
		}
		listeners, err = c.Publish(ctx, channel, "?").Result()
		if err != nil || listeners == 0 {
			return err
		}
		others, err := c.Publish(ctx, fmt.Sprintf("%s.%x", channel, rand.Uint64()), "?").Result()
		listeners = max(0, listeners-others)
		return err
	})
	return int(listeners), err
}
