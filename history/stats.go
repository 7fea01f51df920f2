package history

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// publishStats are the counters of a publisher. A message that was appended after its publisher had
// given up counts in appends and in unknown.
type publishStats struct {
	appends, doubles, untold                       atomic.Int64
	unavailable, unknown, conflict, tooLarge, busy atomic.Int64
}

// appended counts a message that the store has.
func (s *publishStats) appended(doubled bool) {
	if doubled {
		s.doubles.Add(1)
		return
	}
	s.appends.Add(1)
}

// failed counts a message that was refused, and says so. A conflict is what the program has asked
// for, so it is only counted.
func (p *publisher) failed(m *pubsub.Message, err error) {
	attrs := []slog.Attr{notice.Foreign("topic", m.Topic), notice.Foreign("event", m.Event), slog.String("error", err.Error())}
	switch {
	case errors.Is(err, ErrConflict):
		p.stats.conflict.Add(1)
	case errors.Is(err, ErrTooLarge):
		p.stats.tooLarge.Add(1)
		p.book.Say(notice.HistoryTooLarge, attrs...)
	case errors.Is(err, ErrBusy):
		p.stats.busy.Add(1)
		p.book.Say(notice.HistoryBusy, attrs...)
	case errors.Is(err, ErrUnknown):
		p.stats.unknown.Add(1)
		p.book.Say(notice.HistoryUnknown, attrs...)
	case errors.Is(err, ErrUnavailable):
		p.stats.unavailable.Add(1)
		p.book.Say(notice.HistoryUnavailable, attrs...)
	}
}

// errorCounts returns, for the stats of an endpoint, the numbers of errors that occurred at least once,
// by kind.
func (s *publishStats) errorCounts() map[string]int64 {
	counts := make(map[string]int64)
	for kind, n := range map[string]int64{
		"unavailable": s.unavailable.Load(), "unknown": s.unknown.Load(), "conflict": s.conflict.Load(),
		"too_large": s.tooLarge.Load(), "busy": s.busy.Load(),
	} {
		if n > 0 {
			counts[kind] = n
		}
	}
	return counts
}

// Stats implements follow.Log. The numbers are read one after the other, so they need not fit each other
// exactly.
func (i *inside) Stats() follow.LogStats {
	s := &i.publisher.stats
	return follow.LogStats{
		Stats:   i.followers.Stats(),
		Appends: s.appends.Load(), Doubled: s.doubles.Load(), Untold: s.untold.Load(), AppendErrors: s.errorCounts(),
	}
}
