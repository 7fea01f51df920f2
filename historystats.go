package bennu

import (
	"sync"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/notice"
)

// HistoryStats are the counters of the topics that have a history. Those of the history itself count
// for all endpoints that share it.
type HistoryStats struct {
	Topics  int // topics that are followed at this moment
	Entries int // messages in memory at this moment
	Bytes   int // of their payloads
	Behind  int // channels that read the history at this moment, to catch up

	Replays  int64            // times that a channel has caught up
	Replayed int64            // messages that channels got from the history
	Lost     map[string]int64 // times that a client was told that it has lost messages, by the reason
	Fenced   int64            // joins that were refused with "resume", and come again, since broadcasts were under way

	Appends      int64            // messages that the store has taken from this node
	Doubled      int64            // broadcasts whose message the store had already
	AppendErrors map[string]int64 // broadcasts that were refused: "unavailable", "unknown", "conflict", "too_large", "busy"
	Untold       int64            // messages that the broker did not take, so that other nodes read them from the store
	Repairs      int64            // times that the store was asked for messages that may be missing
	Filled       int64            // missing messages that were found there
	Late         int64            // messages that other nodes told twice, or after they were read from the store
	Reads        int64            // reads of the store
	Rotations    int64            // times that a history was found broken, and began anew
}

// historyCounters are those of one endpoint.
type historyCounters struct {
	behind, replays, replayed atomic.Int64
	mu                        sync.Mutex
	lost                      map[string]int64
}

// lose counts a loss by its reason.
func (h *historyCounters) lose(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost == nil {
		h.lost = make(map[string]int64)
	}
	h.lost[reason]++
}

// losses returns the losses by their reasons.
func (h *historyCounters) losses() map[string]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[string]int64, len(h.lost))
	for reason, n := range h.lost {
		all[reason] = n
	}
	return all
}

// historyStats returns the counters of the history.
func (n *node) historyStats() HistoryStats {
	if n.keeping == nil {
		return HistoryStats{}
	}
	l, h := n.keeping.Stats(), &n.stats.history
	return HistoryStats{
		Topics: l.Topics, Entries: l.Entries, Bytes: l.Bytes, Behind: int(h.behind.Load()),
		Replays: h.replays.Load(), Replayed: h.replayed.Load(), Lost: h.losses(), Fenced: n.book.Count(notice.Fenced),
		Appends: l.Appends, Doubled: l.Doubled, AppendErrors: l.AppendErrors, Untold: l.Untold,
		Repairs: l.Repairs, Filled: l.Filled, Late: l.Late, Reads: l.Reads, Rotations: l.Rotations,
	}
}
