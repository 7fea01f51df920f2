package redispubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// link implements cluster.Link.
//
// It has a shard for each server with channels. The goroutine of a shard keeps a session, which has
// two connections: a listener, which subscribes, and an outlet, which publishes. With version 2 of
// the protocol, a connection that subscribes can do nothing else. A session lasts as long as the
// connection of its listener. When that is lost, messages may have been missed, so the next session
// subscribes to everything before it counts, and the node reports a gap. A lost outlet is replaced
// within the session.
//
// Close awaits all goroutines: keep of each shard, in which watch and look test the session; run of
// each listener; tell, which reports events to the node; and, with a cluster, follow, which keeps
// the map of slots up to date.
//
// Lock order: turn, mu; in a listener writing, mu; in an outlet turn, mu. Nothing is written to a
// server and no event is reported while a mu is held.
type link struct {
	target       *redisconn.Target
	prefix, node string
	probe        time.Duration
	events       cluster.Events

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	// turn is a lock, held while the subscriptions of live sessions are changed, so that the
	// commands of two changes do not mix.
	turn  chan struct{}
	news  chan struct{} // has a value if tell has something to report
	moves chan struct{} // has a value if the map of the cluster may be out of date

	mu     sync.Mutex // guards the fields below, and the sessions of shards
	shards []*shard
	owners []*shard // by slot; nil: the only shard has all slots
	// wanted has the channels that the node wants, each with the session that is subscribed to
	// it, or nil. The session may have ended.
	wanted  map[string]*session
	asks    string             // address of a node that may have a newer map, or ""
	downs   int                // number of lost sessions
	cause   error              // of the last one
	shift   error              // channels moved between sessions: a gap to report
	denials []*cluster.Refusal // refused channels to report

	batch int // number of messages in a round; used by Publish alone
}

var _ cluster.Link = (*link)(nil)

func newLink(t *redisconn.Target, prefix, node string, probe time.Duration) *link {
	l := &link{
		target: t, prefix: prefix, node: node, probe: probe,
		turn: make(chan struct{}, 1), news: make(chan struct{}, 1), moves: make(chan struct{}, 1),
		wanted: make(map[string]*session), batch: maxBatch,
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Open implements cluster.Link. All servers must be reachable.
func (l *link) Open(ctx context.Context, e cluster.Events) error {
	l.events = e
	err := l.open(ctx)
	if err != nil {
		l.Close()
		return fmt.Errorf("redispubsub: %w", l.target.Advise(err))
	}
	return nil
}

// open makes the shards, connects them, and starts the goroutines.
func (l *link) open(ctx context.Context) error {
	switch l.target.Mode {
	case redisconn.Single:
		l.shards = []*shard{l.newShard(l.target.Addrs[0])}
	case redisconn.Sentinel:
		l.shards = []*shard{l.newShard("")}
	case redisconn.Cluster:
		if _, err := l.refresh(ctx); err != nil {
			return err
		}
	}
	// All servers have to be reachable at the start. Later, a shard may be without a session.
	sessions := make([]*session, len(l.shards))
	for i, s := range l.shards {
		x, err := s.connect(ctx)
		if err != nil {
			for _, x := range sessions[:i] {
				x.close()
			}
			return err
		}
		sessions[i] = x
	}
	for i, s := range l.shards {
		l.keep(s, sessions[i])
	}
	l.tasks.Go(l.tell)
	if l.target.Mode == redisconn.Cluster {
		l.tasks.Go(l.follow)
	}
	return nil
}

// newShard makes a shard without a session.
func (l *link) newShard(addr string) *shard {
	return &shard{link: l, addr: addr, reset: make(chan error, 1)}
}

// keep starts the goroutine of a shard, which begins with the session x, or without one if x is nil.
func (l *link) keep(s *shard, x *session) {
	ctx, stop := context.WithCancel(l.ctx)
	s.stop = stop
	l.tasks.Go(func() {
		defer stop()
		s.keep(ctx, x)
	})
}

// Close implements cluster.Link. Running calls return, since their connections end.
func (l *link) Close() {
	l.cancel()
	l.tasks.Wait()
}

// MaxPayload implements cluster.Link.
func (l *link) MaxPayload() int { return redisconn.MaxPayload }

// Server implements cluster.Link. All nodes publish to a channel at the same server, the master of
// its slot. A subscription that it has confirmed is in force for all of them, so nodes need not
// wait for each other.
func (l *link) Server() string { return "" }

// errReset is the reason of a session that Reset has ended.
var errReset = errors.New("a message of this node to itself did not come back")

// Reset implements cluster.Link. It ends the sessions of all shards, since the node does not know which
// server does not deliver.
func (l *link) Reset() {
	l.mu.Lock()
	shards := l.shards // replaced as a whole by apply, and never changed
	l.mu.Unlock()
	for _, s := range shards {
		select {
		case s.reset <- errReset:
		default:
		}
	}
}

// owner returns the shard of a channel. The caller holds mu.
func (l *link) owner(channel string) *shard {
	if l.owners == nil {
		return l.shards[0]
	}
	return l.owners[redisconn.Slot(channel)]
}

// probeFor returns the channel to which a session of s sends its probes. In a cluster it must be in a
// slot of s. It returns false if s has no slots.
func (l *link) probeFor(s *shard) (string, bool) {
	l.mu.Lock()
	owners := l.owners
	l.mu.Unlock()
	return probeChannel(l.prefix, l.node, func(slot int) bool { return owners == nil || owners[slot] == s })
}
