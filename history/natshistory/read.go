package natshistory

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/history"
)

// Read implements history.Store. The leader of the stream tells the head, so that a replica which is
// behind is noticed; the messages come from any replica.
func (s *store) Read(ctx context.Context, topic string, after uint64, o *history.ReadOptions) (p history.Piece, err error) {
	leave, err := s.enter()
	if err != nil {
		return history.Piece{}, err
	}
	defer leave()
	subject, tries := logSubject(s.Prefix, topic), 0
	err = s.again(ctx, func() error {
		p, err = s.read(ctx, subject, after, o)
		if tries++; errors.Is(err, errBroken) && tries < brokenTries {
			return errBehind
		}
		return err
	})
	switch {
	case errors.Is(err, errBroken):
		p.Known, p.Entries, p.More = o.Newest, nil, false
		return p, nil
	case err != nil:
		return history.Piece{}, failed(err, false)
	}
	return p, nil
}

// errBroken means that entries do not form a chain. They may have been trimmed away meanwhile. If it
// comes again and again, somebody has deleted messages, or the stream has lost some: then no place
// before the break is known.
var errBroken = errors.New("the entries are not a chain")

// brokenTries is the number of tries after which the chain is broken. A piece that was trimmed while it
// was read is whole at the second try.
const brokenTries = 4

// read makes one try of Read. It asks the leader for the newest record, which has the head, then finds
// the oldest kept entry, and reads what is in between from any replica. While entries are appended and
// trimmed meanwhile, the piece is still one of the log at the moment when the leader answered, or the
// error is errBroken or errBehind.
func (s *store) read(ctx context.Context, subject string, after uint64, o *history.ReadOptions) (p history.Piece, err error) {
	head, err := s.newest(ctx, subject)
	if err == nil && !o.Newest && s.Replicas > 1 && after>>tagBits > head.at() {
		// Perhaps the server is no leader any more and has not noticed.
		if err = s.barrier(ctx); err == nil {
			head, err = s.newest(ctx, subject)
		}
	}
	if err == nil && s.clock.stale() {
		_, err = s.info(ctx)
	}
	if err != nil {
		return p, err
	}
	p.Head = head.head()
	p.Oldest = p.Head.Offset
	p.Known = o.Newest || after == p.Head.Offset
	if p.Head.Offset == 0 {
		return p, nil
	}
	w := &window{head: head, keep: o.Keep, since: s.clock.now().Add(-o.Keep.Age)}
	oldest, err := s.oldest(ctx, subject, w)
	if err != nil || oldest == nil {
		return p, err
	}
	p.Oldest = oldest.Prev
	if o.Newest {
		err = s.readNewest(ctx, subject, &p, w, oldest, o)
	} else if !p.Known {
		err = s.readAfter(ctx, subject, &p, w, oldest, after, o)
	}
	return p, err
}

// readAfter reads the entries after an offset that is not the head. The offset has the sequence of its message,
// so that message is read along, to see whether it has this very offset: its 10 bits tell whether it is
// the message that the client had. Its payload does not count.
func (s *store) readAfter(ctx context.Context, subject string, p *history.Piece, w *window, oldest *record, after uint64, o *history.ReadOptions) error {
	l := limits{from: oldest.sequence, upTo: w.head.sequence, entries: o.Entries, bytes: o.Bytes}
	if after != oldest.Prev {
		if l.from = after >> tagBits; l.from < oldest.sequence || l.from >= w.head.sequence {
			return nil
		}
		l.entries, l.free = l.entries+1, 1
	}
	list, err := s.page(ctx, subject, l)
	if err != nil {
		return err
	}
	if l.free > 0 {
		if list[0].offset() != after || !w.has(list[0]) {
			return nil
		}
		if list = list[1:]; len(list) == 0 {
			return errBroken
		}
	}
	p.Known = true
	p.More = list[len(list)-1].sequence < w.head.sequence
	return fill(p, list, after)
}

// readNewest reads the newest entries before o.Before. Where they begin follows from the counts and sums in the
// records, so that no entry is read which does not fit.
func (s *store) readNewest(ctx context.Context, subject string, p *history.Piece, w *window, oldest *record, o *history.ReadOptions) error {
	last := w.head // the piece ends with it, or just before it
	count, sum, upTo := last.Count, last.Sum, last.sequence
	if o.Before != 0 && o.Before <= p.Head.Offset {
		r, err := s.next(ctx, subject, o.Before>>tagBits)
		if err != nil {
			return err
		}
		if r == nil {
			return errBroken
		}
		last, count, sum, upTo = r, r.Count, r.Sum, r.sequence
		if r.offset() >= o.Before {
			count, sum, upTo = r.Count-1, r.before(), r.sequence-1
		}
		if r.Epoch != oldest.Epoch || count < oldest.Count {
			return nil
		}
	}
	from, err := s.first(ctx, subject, oldest.sequence, last, func(r *record) bool {
		return w.has(r) && r.Count+uint64(o.Entries) > count && (r.Count >= count || sum-r.before() <= uint64(o.Bytes))
	})
	if err != nil {
		return err
	}
	// Where others have removed entries, or written some, the counts do not fit.
	if from == nil || from.Count > count || from.sequence > upTo {
		return errBroken
	}
	n := min(count-from.Count+1, uint64(o.Entries))
	list, err := s.page(ctx, subject, limits{from: from.sequence, upTo: upTo, entries: int(n), bytes: max(o.Bytes, len(from.payload))})
	if err != nil {
		return err
	}
	if newest := list[len(list)-1]; newest.Count != count {
		return errBroken
	}
	p.More = list[0].Prev != p.Oldest
	for len(list) > 0 && fill(p, list, list[0].Prev) != nil {
		list = list[1:] // what is behind the break remains
	}
	return nil
}

// fill sets the entries of a piece that begins behind an offset. It returns errBroken where the chain
// breaks, and then the piece has what is before the break.
func fill(p *history.Piece, list []*record, prev uint64) error {
	p.Entries = make([]history.Entry, 0, len(list))
	for _, r := range list {
		if r.none() || r.Epoch != p.Head.Epoch || r.Prev != prev {
			return errBroken
		}
		prev = r.offset()
		p.Entries = append(p.Entries, r.entry())
	}
	return nil
}

// barrier returns when the servers have agreed on a message. The leader has all earlier ones then. The
// message is the mark of the probe, which no topic has, and replaces the one before.
func (s *store) barrier(ctx context.Context) error {
	m := nats.NewMsg(markOf(s.Prefix, probeSubject(s.Prefix)))
	m.Header[nats.MsgRollup] = []string{nats.MsgRollupSubject}
	return s.again(ctx, func() error {
		_, err := s.publish(ctx, m)
		return err
	})
}
