package natshistory

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/history"
)

// A window tells which entries of a log are kept. Since each record has its count and the sum of the
// payloads, one record is enough to tell, and the kept ones are the newest.
type window struct {
	head  *record
	keep  history.Keep
	since time.Time // on the clock of the server
}

// has reports whether an entry is kept. The newest entry counts whatever its size, so that a topic whose last
// message is larger than Bytes is not empty.
func (w *window) has(r *record) bool {
	h := w.head
	return r.Epoch == h.Epoch && !r.none() && r.Count > 0 && r.sequence <= h.sequence &&
		r.Count+uint64(w.keep.Size) > h.Count &&
		(h.Sum-r.before() <= uint64(w.keep.Bytes) || r.sequence == h.sequence) &&
		!r.time.Before(w.since)
}

// first returns the first record of a subject, from a sequence on, for which ok holds, or nil if there
// is none. If ok holds for a record, it holds for all up to last, which is in the stream. It looks with
// growing steps first, since the record is often near the beginning, and then halves the rest.
func (s *store) first(ctx context.Context, subject string, from uint64, last *record, ok func(*record) bool) (*record, error) {
	if !ok(last) {
		return nil, nil
	}
	low, err := s.next(ctx, subject, from)
	switch {
	case err != nil:
		return nil, err
	case low == nil || low.sequence > last.sequence:
		return nil, errBehind // it was purged meanwhile
	case ok(low):
		return low, nil
	}
	high, top, step := last, last.sequence, uint64(1)
	for low.sequence+1 < top && (low.Epoch != high.Epoch || low.Count+1 != high.Count) {
		middle := low.sequence + min(step, (top-low.sequence)/2)
		r, err := s.next(ctx, subject, middle)
		switch {
		case err != nil:
			return nil, err
		case r == nil || r.sequence >= high.sequence:
			top, step = middle, top // nothing is in between
		case ok(r):
			high, top, step = r, middle, top
		default:
			low = r
			if step <= top/16 {
				step *= 16
			}
		}
	}
	return high, nil
}

// oldest returns the oldest entry of a window, or nil if none is kept. Where it was is remembered for the
// next call, for each topic; nodes with other bounds of the same topic only look a little longer.
func (s *store) oldest(ctx context.Context, subject string, w *window) (*record, error) {
	t := s.topics.use(subject)
	defer s.topics.release(t)
	from := t.bound(w)
	r, err := s.first(ctx, subject, from, w.head, w.has)
	if err == nil && r != nil {
		t.setBound(w, r.sequence)
	}
	return r, err
}

// bound returns the sequence at which to begin to look for the oldest entry: where the last one was. The oldest
// entry only moves on within an epoch, so the search is usually over at once.
func (t *topic) bound(w *window) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.oldest; b.epoch == w.head.Epoch && b.keep == w.keep && b.sequence <= w.head.sequence {
		return b.sequence
	}
	return 0
}

// setBound records the sequence of the oldest entry of a window.
func (t *topic) setBound(w *window, sequence uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.oldest = bound{w.head.Epoch, w.keep, sequence}
}

// last returns the newest n entries of a log, oldest first, without their payloads, which may be large
// together. head is its newest record.
func (s *store) last(ctx context.Context, subject string, head *record, n int) (list []*record, err error) {
	r, err := s.first(ctx, subject, 0, head, func(r *record) bool {
		return !r.none() && r.Epoch == head.Epoch && r.Count > 0 && r.Count+uint64(n) > head.Count
	})
	if err != nil || r == nil {
		return nil, err
	}
	for from := r.sequence; from <= head.sequence; {
		part, err := s.page(ctx, subject, limits{from: from, upTo: head.sequence, entries: n, bytes: maxBatchBytes})
		if err != nil {
			return nil, err
		}
		for _, r := range part {
			from, r.payload = r.sequence+1, nil
		}
		if list = append(list, part...); len(list) > n {
			return nil, errBroken // others have written counts that do not fit
		}
	}
	return list, nil
}

// limits say which messages page reads.
type limits struct {
	from, upTo     uint64 // sequences
	entries, bytes int
	free           int // the first messages that do not count for bytes
}

const (
	// maxBatch and maxBatchBytes bound what is asked for at once.
	maxBatch      = 256
	maxBatchBytes = 1 << 20
)

// page reads messages of a subject, in order, from any replica, in as many requests as it takes. The one with
// the sequence upTo is in the stream. The error is errBehind if the replica does not have it.
func (s *store) page(ctx context.Context, subject string, l limits) (list []*record, err error) {
	bytes, full := 0, false
	for l.from <= l.upTo && len(list) < l.entries && !full {
		got := 0
		request := getRequest{Sequence: l.from, Next: subject, Batch: min(l.entries-len(list), maxBatch), MaxBytes: maxBatchBytes}
		_, err := s.direct(ctx, request, func(r *record) {
			size := len(r.payload)
			if len(list) < l.free {
				size = 0
			}
			if full = full || r.sequence > l.upTo || len(list) > l.free && bytes+size > l.bytes; full {
				return
			}
			got++
			bytes += size
			l.from = r.sequence + 1
			list = append(list, r)
		})
		switch {
		case err != nil:
			return nil, err
		case got == 0 && !full:
			return nil, errBehind
		}
	}
	if last := len(list); last == 0 {
		return nil, errBehind
	}
	return list, nil
}
