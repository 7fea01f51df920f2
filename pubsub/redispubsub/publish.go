package redispubsub

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

const (
	// maxBatch and maxBatchBytes bound the messages of a round, all of which are written before
	// the first answer is read. The last message of a round may exceed maxBatchBytes.
	maxBatch      = 128
	maxBatchBytes = 256 << 10
)

// Publish implements cluster.Link. It publishes in rounds, each of which is a pipeline for each shard, so
// that a round takes about as long as one message. The order of messages to a channel is kept, since a
// channel has one shard, and a round begins when the one before has been confirmed. The node calls
// Publish in one goroutine, so batch needs no lock.
func (l *link) Publish(ctx context.Context, messages []cluster.Outgoing) (taken int, err error) {
	for taken < len(messages) && err == nil {
		n, bytes := 0, 0
		for n < min(l.batch, len(messages)-taken) && (n == 0 || bytes < maxBatchBytes) {
			bytes += len(messages[taken+n].Data)
			n++
		}
		var some int
		some, err = l.round(ctx, messages[taken:taken+n])
		taken += some
	}
	return taken, err
}

// part has the messages of a round for one shard.
type part struct {
	session  *session
	messages []cluster.Outgoing
	index    []int // their indexes in the round
}

// round publishes messages, to all shards concurrently. It returns the number of messages that were
// accepted before the first that was not, and the error of that one.
func (l *link) round(ctx context.Context, messages []cluster.Outgoing) (taken int, err error) {
	parts := l.divide(messages)
	errs := make([]error, len(messages))
	if len(parts) == 1 {
		l.pipeline(ctx, parts[0], errs)
	} else {
		var all sync.WaitGroup
		for _, p := range parts {
			all.Go(func() { l.pipeline(ctx, p, errs) })
		}
		all.Wait()
	}
	// The first error decides. Later messages of this round may have been accepted. They are sent
	// again in any case, and receivers drop those that come twice.
	for i, err := range errs {
		if err == nil {
			continue
		}
		addr := ""
		for _, p := range parts {
			for _, j := range p.index {
				if j == i && p.session != nil {
					addr = p.session.addr
				}
			}
		}
		switch redisconn.Judge(err) {
		case redisconn.Refused:
			// The messages after this one are sent again. Since the next may be refused, too,
			// rounds start with one message and grow while messages are accepted.
			l.batch = 1
			if redisconn.NoPermission(err) {
				cause := fmt.Errorf("redispubsub: %w", l.forbidden(addr, "publish to", messages[i].Channel, err))
				return i, &cluster.Refusal{Channels: []string{messages[i].Channel}, Cause: cause}
			}
			return i, fmt.Errorf("redispubsub: %w", l.target.Explain(addr, l.target.User, err))
		case redisconn.Moved:
			l.stale(redisconn.Hint(err)) // the message waits until the map is up to date
		}
		return i, awayFor(err)
	}
	l.batch = min(2*l.batch, maxBatch)
	return len(messages), nil
}

// divide divides messages by shard. Those of a shard stay in order. A part whose shard has no session now
// is made, too; pipeline returns cluster.ErrAway for it.
func (l *link) divide(messages []cluster.Outgoing) (parts []*part) {
	l.mu.Lock()
	defer l.mu.Unlock()
	byShard := make(map[*shard]*part)
	for i, m := range messages {
		s := l.owner(m.Channel)
		p := byShard[s]
		if p == nil {
			p = &part{session: s.session}
			byShard[s] = p
			parts = append(parts, p)
		}
		p.messages = append(p.messages, m)
		p.index = append(p.index, i)
	}
	return parts
}

// pipeline publishes a part, and sets errs for each message that the server has not confirmed. Such a
// message may have been delivered, if only the answer was lost. Parts have different indexes in errs, so
// they may be published concurrently.
func (l *link) pipeline(ctx context.Context, p *part, errs []error) {
	err := error(cluster.ErrAway)
	var answers []redis.Cmder
	if p.session != nil {
		err = p.session.outlet.use(ctx, func(c *redis.Conn) error {
			answers, _ = c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				for _, m := range p.messages {
					if l.target.Mode == redisconn.Cluster {
						pipe.SPublish(ctx, m.Channel, m.Data)
					} else {
						pipe.Publish(ctx, m.Channel, m.Data)
					}
				}
				return nil
			})
			// Pipelined returns the first error of any command. Here only that of the
			// connection matters; those of commands are read from the answers.
			for _, a := range answers {
				if err := a.Err(); err != nil && redisconn.Judge(err) == redisconn.Broken {
					return err
				}
			}
			return nil
		})
	}
	for i, j := range p.index {
		switch {
		case i < len(answers):
			errs[j] = answers[i].Err()
		default:
			errs[j] = err
		}
	}
}
