package bennu_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
)

// keptStore is a history.Store of several nodes.
type keptStore struct {
	mu     sync.Mutex
	logs   map[string]*keptLog
	epochs int
	fail   func() error // called by each method without the lock; see setFail
}

type keptLog struct {
	epoch   string
	entries []history.Entry
	head    uint64
	oldest  uint64
	numbers map[string]history.Entry
}

func (s *keptStore) epoch() string {
	s.epochs++
	n := s.epochs
	return "epoch" + string([]byte{'a' + byte(n/676%26), 'a' + byte(n/26%26), 'a' + byte(n%26)})
}

// setFail sets fail while the store is in use.
func (s *keptStore) setFail(f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

func (s *keptStore) enter() (func(), error) {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		if err := fail(); err != nil {
			return func() {}, err
		}
	}
	s.mu.Lock()
	if s.logs == nil {
		s.logs = map[string]*keptLog{}
	}
	return s.mu.Unlock, nil
}

func (s *keptStore) Append(_ context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
	leave, err := s.enter()
	defer leave()
	if err != nil {
		return history.Place{}, err
	}
	l := s.logs[topic]
	if l == nil {
		l = &keptLog{epoch: s.epoch(), numbers: map[string]history.Entry{}}
		s.logs[topic] = l
	}
	if n, ok := l.numbers[e.Boot]; ok && e.Number <= n.Number {
		if n.Number != e.Number {
			return history.Place{}, history.ErrUnknown
		}
		place := n.Place
		place.Doubled = true
		return place, nil
	}
	stored := *e
	stored.Place = history.Place{Epoch: l.epoch, Offset: l.head + 1 + e.Number%7, Prev: l.head}
	stored.Time = time.Now()
	l.head = stored.Offset
	l.numbers[e.Boot] = stored
	l.entries = append(l.entries, stored)
	if n := len(l.entries) - o.Keep.Size; n > 0 {
		l.oldest = l.entries[n-1].Offset
		l.entries = l.entries[n:]
	}
	return stored.Place, nil
}

func (s *keptStore) Read(_ context.Context, topic string, after uint64, o *history.ReadOptions) (p history.Piece, err error) {
	leave, err := s.enter()
	defer leave()
	if err != nil {
		return p, err
	}
	l := s.logs[topic]
	if l == nil {
		p.Known = after == 0 || o.Newest
		return p, nil
	}
	p.Head, p.Oldest = history.Head{Epoch: l.epoch, Offset: l.head}, l.oldest
	if o.Newest {
		p.Known = true
		p.Entries = append(p.Entries, l.entries[max(0, len(l.entries)-o.Entries):]...)
		p.More = len(p.Entries) < len(l.entries)
		return p, nil
	}
	p.Known = after == l.head || after == l.oldest
	for i, e := range l.entries {
		if e.Prev == after {
			p.Known = true
			rest := l.entries[i:]
			p.More = len(rest) > o.Entries
			p.Entries = append(p.Entries, rest[:min(len(rest), o.Entries)]...)
		}
	}
	return p, nil
}

func (s *keptStore) Heads(_ context.Context, topics []string) ([]history.Head, error) {
	leave, err := s.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	heads := make([]history.Head, len(topics))
	for i, topic := range topics {
		if l := s.logs[topic]; l != nil {
			heads[i] = history.Head{Epoch: l.epoch, Offset: l.head}
		}
	}
	return heads, nil
}

func (s *keptStore) Rotate(_ context.Context, topic, epoch string) error {
	leave, err := s.enter()
	defer leave()
	if err != nil {
		return err
	}
	l := s.logs[topic]
	switch {
	case l == nil && epoch == "":
		s.logs[topic] = &keptLog{epoch: s.epoch(), numbers: map[string]history.Entry{}}
	case l != nil && l.epoch == epoch:
		s.logs[topic] = &keptLog{epoch: s.epoch(), numbers: l.numbers}
	}
	return nil
}

func (s *keptStore) Close(context.Context) error { return nil }

// serveStore serves users with a history of topics in a store.
func serveStore(t testing.TB, users *bennu.SocketHandler, ps *pubsub.PubSub, o *history.Options) *keeping {
	t.Helper()
	o.Logger = slog.New(newLogbook())
	log, err := history.New(context.Background(), ps, o)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, users, nil, &bennu.EndpointOptions{PubSub: ps, History: log})
	s.OnShutdown(log.Close)
	return &keeping{s, log}
}

// TestExpiredWhileApart is a client whose node does not hear what another node publishes, until the
// store has dropped it. The client is told so when the node finds out, and not with the next message.
func TestExpiredWhileApart(t *testing.T) {
	store := new(keptStore)
	o := history.Options{Store: store, Topics: []history.Topic{{Pattern: "*", Size: 3}}, Check: time.Second}
	here, there := o, o
	s := serveStore(t, one("*", rooms()), pubsub.NewLocal(), &here)
	other := serveStore(t, one("*", rooms()), pubsub.NewLocal(), &there)
	c := wstest.Dial(t, s.url)
	joinSince(c, "a", since(""))
	c.Expect(kept(s.say(t, "a", "said", nil), "a", "said", `{}`))
	var head string
	for range 10 {
		head = other.say(t, "a", "said", nil)
	}
	// Usually all at once. If the node has looked in between, it may have got the last messages.
	c.Await("the head", func(m wstest.Message) bool { return m.Ref == `"`+head+`"` })
}
