package history

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
)

// source is the store as the followers read it. It passes on nothing that cannot be.
type source struct{ l *Log }

// Read implements follow.Source.
func (s *source) Read(ctx context.Context, topic string, after uint64, entries, bytes int) (follow.Page, error) {
	return s.read(ctx, topic, after, &ReadOptions{Entries: entries, Bytes: bytes})
}

// Newest implements follow.Source.
func (s *source) Newest(ctx context.Context, topic string, entries, bytes int) (follow.Page, error) {
	return s.read(ctx, topic, 0, &ReadOptions{Entries: entries, Bytes: bytes, Newest: true})
}

// read is Read and Newest.
func (s *source) read(ctx context.Context, topic string, after uint64, o *ReadOptions) (follow.Page, error) {
	p, err := s.piece(ctx, topic, after, o)
	if err != nil {
		return follow.Page{}, err
	}
	page := follow.Page{
		Known: p.Known || o.Newest, Epoch: p.Head.Epoch, Head: p.Head.Offset, Oldest: p.Oldest, More: p.More,
		Entries: make([]*follow.Entry, len(p.Entries)),
	}
	for i := range p.Entries {
		page.Entries[i] = newFollowed(topic, &p.Entries[i])
	}
	return page, nil
}

// piece reads the store and checks what it returns. What cannot be is an error like that of a store that
// does not answer: asking again may help, and nothing else would.
func (s *source) piece(ctx context.Context, topic string, after uint64, o *ReadOptions) (Piece, error) {
	k := s.l.kept(topic)
	if k == nil {
		return Piece{}, notKept(topic)
	}
	o.Keep = k.keep
	p, err := s.l.store.Read(ctx, topic, after, o)
	if err != nil {
		return Piece{}, err
	}
	if fault := p.fault(after, o); fault != "" {
		return Piece{}, s.broken(topic, fmt.Sprintf("a piece of its log cannot be: %s", fault))
	}
	if !p.Known && !o.Newest {
		p.Entries, p.More = nil, false
	}
	return p, nil
}

// broken says what a store should not have done, and returns it as an error.
func (s *source) broken(topic, fault string) error {
	s.l.book.Say(notice.HistoryStore, notice.Foreign("topic", topic), slog.String("error", fault))
	return fmt.Errorf("%w: %s", ErrUnavailable, fault)
}

// newFollowed returns an entry for the followers, which check its message.
func newFollowed(topic string, e *Entry) *follow.Entry {
	m := pubsub.Message{Event: e.Event, Payload: e.Payload, Binary: e.Binary}
	return follow.NewEntry(topic, &m, &pubsub.Place{Epoch: e.Epoch, Offset: e.Offset, Prev: e.Prev, From: e.From})
}

// Heads implements follow.Source.
func (s *source) Heads(ctx context.Context, topics []string) ([]follow.Position, error) {
	heads, err := s.l.store.Heads(ctx, topics)
	if err != nil {
		return nil, err
	}
	if len(heads) != len(topics) {
		return nil, s.broken(probe, fmt.Sprintf("it has %d heads for %d topics", len(heads), len(topics)))
	}
	list := make([]follow.Position, len(heads))
	for i, h := range heads {
		// A log without entries has an epoch and the offset 0; a topic without a log has neither.
		if h != (Head{}) && !follow.ValidEpoch(h.Epoch) {
			return nil, s.broken(topics[i], "the epoch of its head is "+redact.Print(h.Epoch))
		}
		list[i] = follow.Position{Epoch: h.Epoch, Offset: h.Offset}
	}
	return list, nil
}

// Rotate implements follow.Source.
func (s *source) Rotate(ctx context.Context, topic, epoch string) error {
	return s.l.store.Rotate(ctx, topic, epoch)
}
