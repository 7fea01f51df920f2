package redispubsub

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/redisconn"
)

// stale makes follow fetch the map, first from addr unless that is "". It does not wait, and may be
// called from any goroutine.
func (l *link) stale(addr string) {
	if addr != "" {
		l.mu.Lock()
		l.asks = addr
		l.mu.Unlock()
	}
	select {
	case l.moves <- struct{}{}:
	default:
	}
}

// lookAnyway is the time between two fetches of the map when nothing indicates that it has changed.
const lookAnyway = 30 * time.Second

// follow is the goroutine that keeps the map of the cluster up to date, and moves channels with their
// slots. It works when stale is called, and every lookAnyway. Calls of stale while it works count as one.
func (l *link) follow() {
	ticker := time.NewTicker(lookAnyway)
	defer ticker.Stop()
	for {
		told := false // there is a sign that the map is out of date
		select {
		case <-l.moves:
			told = true
		case <-ticker.C:
		case <-l.ctx.Done():
			return
		}
		// It pauses after a success, too, so that many signs of one change cause one fetch.
		for pause := firstPause; ; pause = min(2*pause, lastPause) {
			changed, err := l.refresh(l.ctx)
			told = told || changed
			if err == nil && told {
				err = l.rearrange(l.ctx)
			}
			if !sleep(l.ctx, pause) {
				return
			}
			if err == nil {
				break
			}
		}
	}
}

// refresh fetches the map from the first node that has a complete one, and reports whether it has
// changed. Nodes are asked one after the other. If none has a map, the error is that of the first.
func (l *link) refresh(ctx context.Context) (changed bool, err error) {
	l.mu.Lock()
	// Asked first is the node that an error has named, then connected ones, then those in Addrs.
	var order []string
	for _, s := range l.shards {
		if s.session != nil {
			order = append(order, s.addr)
		}
	}
	// In random order, so that a node with an old map is not asked first each time.
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	if l.asks != "" {
		order = append([]string{l.asks}, order...)
		l.asks = ""
	}
	l.mu.Unlock()
	asked := make(map[string]bool)
	for _, addr := range append(order, l.target.Addrs...) {
		if asked[addr] {
			continue
		}
		asked[addr] = true
		m, fault := l.target.AskMap(ctx, addr)
		if fault == nil {
			return l.apply(m), nil
		}
		if err == nil {
			err = fault
		}
	}
	return false, err
}

// apply replaces the map. It starts the goroutines of new shards and stops those of removed ones. It
// reports whether any slot has another shard.
func (l *link) apply(m *redisconn.Map) (changed bool) {
	l.mu.Lock()
	before := make(map[string]*shard)
	for _, s := range l.shards {
		before[s.addr] = s
	}
	// Shards are known by their address. A replica that becomes master is a new shard.
	byAddr := make(map[string]*shard)
	var shards, fresh []*shard
	owners := make([]*shard, redisconn.Slots)
	for slot, addr := range m {
		s := byAddr[addr]
		if s == nil {
			if s = before[addr]; s == nil {
				s = l.newShard(addr)
				fresh = append(fresh, s)
			}
			byAddr[addr] = s
			shards = append(shards, s)
		}
		owners[slot] = s
	}
	changed = !slices.Equal(owners, l.owners)
	l.shards, l.owners = shards, owners
	opened := len(before) > 0
	l.mu.Unlock()
	for addr, s := range before {
		if byAddr[addr] == nil && s.stop != nil {
			s.stop()
		}
	}
	if opened { // otherwise Open connects them
		for _, s := range fresh {
			l.keep(s, nil)
		}
	}
	l.wake()
	return changed
}
