package redispubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// link implements cluster.Link.
type link struct {
	target       *target
	prefix, node string
	probe        time.Duration
	events       cluster.Events

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	// turn holds who changes subscriptions of sessions that are live. Two at once
	// could leave a channel in the state that the other one wanted.
	turn  chan struct{}
	news  chan struct{} // something to tell
	moves chan struct{} // the map of the cluster may be out of date

	mu     sync.Mutex
	shards []*shard
	owners []*shard // by slot; nil: the only shard has all
	// wanted is every channel that the core wants, with the session that has it, or
	// nil. The session may have ended since.
	wanted map[string]*session
	asks   string // who knows the newest map, if anybody said so
	downs  int    // counts losses of a shard
	cause  error  // of the last
	shift  error  // channels were subscribed late, and nobody was told yet
	// denials are channels that a server does not let this user have, and nobody was told.
	denials []*cluster.Refusal

	batch int // messages of one Publish; used by its goroutine alone
}

var _ cluster.Link = (*link)(nil)

func newLink(t *target, prefix, node string, probe time.Duration) *link {
	l := &link{
		target: t, prefix: prefix, node: node, probe: probe,
		turn: make(chan struct{}, 1), news: make(chan struct{}, 1), moves: make(chan struct{}, 1),
		wanted: make(map[string]*session), batch: maxBatch,
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Open implements cluster.Link.
func (l *link) Open(ctx context.Context, e cluster.Events) error {
	l.events = e
	err := l.open(ctx)
	if err != nil {
		l.Close()
		return fmt.Errorf("redispubsub: %w", l.target.advise(err))
	}
	return nil
}

func (l *link) open(ctx context.Context) error {
	switch l.target.mode {
	case modeSingle:
		l.shards = []*shard{l.newShard(l.target.addrs[0])}
	case modeSentinel:
		l.shards = []*shard{l.newShard("")}
	case modeCluster:
		if _, err := l.refresh(ctx); err != nil {
			return err
		}
	}
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
	if l.target.mode == modeCluster {
		l.tasks.Go(l.follow)
	}
	return nil
}

func (l *link) newShard(addr string) *shard {
	return &shard{link: l, addr: addr, reset: make(chan error, 1)}
}

// keep starts a shard's goroutine.
func (l *link) keep(s *shard, x *session) {
	ctx, stop := context.WithCancel(l.ctx)
	s.stop = stop
	l.tasks.Go(func() {
		defer stop()
		s.keep(ctx, x)
	})
}

// Close implements cluster.Link.
func (l *link) Close() {
	l.cancel()
	l.tasks.Wait()
}

// MaxPayload implements cluster.Link.
func (l *link) MaxPayload() int { return maxPayload }

// Server implements cluster.Link. A subscription that the master of its slot has
// confirmed is seen by every publisher at once, because all publish at that master; so
// there is nothing that nodes have to wait for beyond it.
func (l *link) Server() string { return "" }

var errReset = errors.New("a message of this node to itself did not come back")

// Reset implements cluster.Link.
func (l *link) Reset() {
	l.mu.Lock()
	shards := l.shards
	l.mu.Unlock()
	for _, s := range shards {
		select {
		case s.reset <- errReset:
		default:
		}
	}
}

// owner is the shard of a channel. The lock is held.
func (l *link) owner(channel string) *shard {
	if l.owners == nil {
		return l.shards[0]
	}
	return l.owners[slotOf(channel)]
}

// probeFor names the channel on which a session of s hears itself.
func (l *link) probeFor(s *shard) (string, bool) {
	l.mu.Lock()
	owners := l.owners
	l.mu.Unlock()
	return probeChannel(l.prefix, l.node, func(slot int) bool { return owners == nil || owners[slot] == s })
}
