package cluster

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// maxTurn bounds the topics of one call of the link.
const maxTurn = 4096

// turn is the work of one turn of keepInterests.
type turn struct {
	retry, heard bool // refused topics are due; the node as a whole is not refused
	add          []*interest
	refused      []*interest // refused before, to be tried again
	drop         []string
	ready        chan struct{}
	gapped       error
}

// keepInterests passes changes of interest to the link, in turns, and waits until they are confirmed.
// Changes that come meanwhile belong to the next turn. Refused topics are tried again after a pause.
func (n *Node) keepInterests(ctx context.Context) {
	s := &n.interests
	again := time.NewTimer(refusalPause)
	defer again.Stop()
	most := refusalTurn
	for ctx.Err() == nil {
		retry := false
		select {
		case <-s.news:
		case <-again.C:
			retry = true
			again.Reset(refusalPause)
			n.askAgain()
			if !s.anyRefused() {
				continue
			}
		case <-ctx.Done():
			return
		}
		t := n.takeTurn(retry, most)
		n.takeBack(t)
		if !n.confirm(ctx, t.add) || !n.confirm(ctx, t.refused) {
			return
		}
		if t.gapped != nil && t.gapped != errLate && !s.isDeaf() {
			// Other servers of the broker may have lost the subscriptions of this node. After
			// the gap was reported, no message may be missed.
			n.sync(ctx, s.all(), false)
		}
		regained := s.settle(append(t.add, t.refused...))
		if most = refusalTurn; retry && len(regained) > 0 { // the others are probably allowed too
			most = math.MaxInt
			again.Reset(0)
		}
		n.tellTurn(t, regained)
	}
}

// takeTurn takes the changes, and with retry up to most of the refused topics.
func (n *Node) takeTurn(retry bool, most int) *turn {
	s := &n.interests
	t := &turn{retry: retry, heard: !retry || n.listen()}
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := false
	for _, it := range s.changed {
		it.listed = false
		switch {
		case !it.wanted:
			if it.subscribed {
				t.drop = append(t.drop, it.channel)
			}
			s.deleteLocked(it)
			gone = true
		case it.ready != nil && it.refused == nil:
			t.add = append(t.add, it)
		}
	}
	s.changed = nil
	if gone {
		n.peers.newMoment() // while s.mu is held, so before any new interest
	}
	if retry && t.heard {
		t.refused = s.refusedLocked(most)
	}
	t.ready, t.gapped = s.ready, s.gapped
	s.ready, s.gapped = nil, nil
	return t
}

// takeBack ends the subscriptions of the dropped topics.
func (n *Node) takeBack(t *turn) {
	if len(t.drop) > 0 {
		if err := n.link.Unsubscribe(t.drop); err != nil {
			n.book.Say(notice.BrokerInterestKept, slog.Any("error", err), slog.Int("topics", len(t.drop)))
		}
	}
	if t.retry && t.heard {
		n.tryRefused()
	}
}

// tellTurn reports the results of a turn: refusals, then confirmations, then gaps.
func (n *Node) tellTurn(t *turn, regained []*interest) {
	if t.retry || n.interests.untold() {
		n.tellRefusals()
	}
	if t.ready != nil {
		close(t.ready)
	}
	for _, it := range regained {
		if it.said {
			it.said = false
			n.book.Say(notice.BrokerTopicBack, notice.Foreign("topic", it.topic))
		}
		n.receiver.Gap(pubsub.Gap{Topic: it.topic, Cause: errRegained})
	}
	if t.gapped != nil {
		n.stats.gaps.Add(1)
		n.receiver.Gap(pubsub.Gap{Cause: t.gapped})
	}
}
