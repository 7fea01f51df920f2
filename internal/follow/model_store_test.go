package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// modelSize is how many entries the store keeps.
const modelSize = 150

// modelStore is the store of the model. What is appended with one key is appended once.
type modelStore struct {
	model *model
	mu    sync.Mutex
	epoch int
	log   []*pubsub.Message // of all epochs, and with what was lost
	kept  []*pubsub.Message
	head  uint64
	old   uint64 // Prev of the first in kept
	keys  map[int]*pubsub.Message
}

func (s *modelStore) epochName() string { return fmt.Sprintf("epoch%03d", s.epoch) }

// append appends a message, if there is none with its key.
func (s *modelStore) append(key int) *pubsub.Message {
	step := uint64(1 + s.model.number(1023))
	if s.model.cuts { // no offset comes again by chance
		step = uint64(1 + s.model.number(1<<30))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.keys[key]; m != nil {
		return m
	}
	m := &pubsub.Message{Topic: modelTopic, Event: "said", Payload: fmt.Appendf(nil, `{"key":%d}`, key)}
	m.Place = &pubsub.Place{Epoch: s.epochName(), Offset: s.head + step, Prev: s.head}
	s.keys[key] = m
	s.log, s.kept, s.head = append(s.log, m), append(s.kept, m), m.Place.Offset
	if len(s.kept) > modelSize {
		s.old, s.kept = s.kept[0].Place.Offset, s.kept[1:]
	}
	return m
}

// cut loses the newest n messages. Later ones get other offsets.
func (s *modelStore) cut(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = s.kept[:max(0, len(s.kept)-n)]
	s.head = s.old
	if k := len(s.kept); k > 0 {
		s.head = s.kept[k-1].Place.Offset
	}
}

func (s *modelStore) top() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head == 0 && len(s.log) == 0 {
		return Position{}
	}
	return Position{s.epochName(), s.head}
}

func (s *modelStore) read(after uint64, entries int) Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log) == 0 {
		return Page{Known: after == 0}
	}
	p := Page{Epoch: s.epochName(), Head: s.head, Oldest: s.old}
	i := slices.IndexFunc(s.kept, func(m *pubsub.Message) bool { return m.Place.Prev == after })
	p.Known = i >= 0 || after == s.head
	if i >= 0 {
		p.Entries, p.More = pageOf(s.kept[i:], entries)
	}
	return p
}

func (s *modelStore) newest(entries int) Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log) == 0 {
		return Page{Known: true}
	}
	p := Page{Known: true, Epoch: s.epochName(), Head: s.head, Oldest: s.old, More: len(s.kept) > entries}
	p.Entries, _ = pageOf(s.kept[max(0, len(s.kept)-entries):], entries)
	return p
}

func pageOf(list []*pubsub.Message, entries int) (page []*Entry, more bool) {
	for _, m := range list[:min(entries, len(list))] {
		page = append(page, &Entry{Message: m})
	}
	return page, len(list) > entries
}

func (s *modelStore) rotate(epoch string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch == s.epochName() {
		s.epoch++
		s.kept, s.head, s.old = nil, 0, 0
	}
}

// modelSource is the way of one node to the store. Each call takes a while there and back, and its
// answer is lost at times.
type modelSource struct{ *modelStore }

var errLostAnswer = errors.New("the answer was lost")

// call calls do somewhere within its time.
func (s modelSource) call(ctx context.Context, do func()) error {
	if err := s.pause(ctx, s.model.between(200*time.Microsecond, 20*time.Millisecond)); err != nil {
		return err
	}
	do()
	if s.model.chance(.02) {
		if err := s.pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		return errLostAnswer
	}
	return s.pause(ctx, s.model.between(200*time.Microsecond, 20*time.Millisecond))
}

func (modelSource) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s modelSource) Read(ctx context.Context, _ string, after uint64, entries, _ int) (p Page, err error) {
	err = s.call(ctx, func() { p = s.read(after, min(entries, 60)) })
	return p, err
}

func (s modelSource) Newest(ctx context.Context, _ string, entries, _ int) (p Page, err error) {
	err = s.call(ctx, func() { p = s.newest(entries) })
	return p, err
}

func (s modelSource) Heads(ctx context.Context, topics []string) (list []Position, err error) {
	err = s.call(ctx, func() {
		for range topics {
			list = append(list, s.top())
		}
	})
	return list, err
}

func (s modelSource) Rotate(ctx context.Context, _, epoch string) error {
	return s.call(ctx, func() { s.rotate(epoch) })
}
