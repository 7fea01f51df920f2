package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// store is a Source in memory. Its offsets are not consecutive.
type store struct {
	mu     sync.Mutex
	size   int // entries that are kept of a topic
	logs   map[string]*logs
	epochs int

	appended             uint64
	reads, heads, newest int
	calls                []int        // topics of each call of Heads
	fail                 func() error // called by each method without the lock, if not nil
}

// logs is the log of one topic.
type logs struct {
	epoch  string
	oldest uint64
	head   uint64
	list   []*pubsub.Message
}

func newStore(size int) *store { return &store{size: size, logs: make(map[string]*logs)} }

func (s *store) epoch() string {
	s.epochs++
	return fmt.Sprintf("epoch%03d", s.epochs)
}

func (s *store) log(topic string) *logs {
	l := s.logs[topic]
	if l == nil {
		l = &logs{epoch: s.epoch()}
		s.logs[topic] = l
	}
	return l
}

// append appends a message and returns it with its place. Payloads are JSON.
func (s *store) append(topic, payload string) *pubsub.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.log(topic)
	m := &pubsub.Message{Topic: topic, Event: "said", Payload: []byte(payload)}
	s.appended++ // so that after a cut no offset comes again
	m.Place = &pubsub.Place{Epoch: l.epoch, Offset: l.head + 1000 + s.appended, Prev: l.head}
	s.put(l, m)
	return m
}

func (s *store) put(l *logs, m *pubsub.Message) {
	l.head = m.Place.Offset
	l.list = append(l.list, m)
	if n := len(l.list) - s.size; n > 0 {
		l.oldest = l.list[n-1].Place.Offset
		l.list = l.list[n:]
	}
}

// cut loses the newest n messages, as a broker that was restored.
func (s *store) cut(topic string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logs[topic]
	l.list = l.list[:len(l.list)-n]
	l.head = l.oldest
	if n := len(l.list); n > 0 {
		l.head = l.list[n-1].Place.Offset
	}
}

func (s *store) failing() error {
	if s.fail == nil {
		return nil
	}
	return s.fail()
}

func (s *store) Read(_ context.Context, topic string, after uint64, entries, bytes int) (Page, error) {
	if err := s.failing(); err != nil {
		return Page{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	l := s.logs[topic]
	if l == nil {
		return Page{Known: after == 0}, nil
	}
	p := Page{Epoch: l.epoch, Head: l.head, Oldest: l.oldest}
	i := slices.IndexFunc(l.list, func(m *pubsub.Message) bool { return m.Place.Prev == after })
	if p.Known = i >= 0 || after == l.head; i < 0 {
		return p, nil
	}
	for _, m := range l.list[i:] {
		if bytes -= len(m.Payload); len(p.Entries) == entries || bytes < 0 && len(p.Entries) > 0 {
			p.More = true
			break
		}
		p.Entries = append(p.Entries, &Entry{Message: m})
	}
	return p, nil
}

func (s *store) Newest(_ context.Context, topic string, entries, _ int) (Page, error) {
	if err := s.failing(); err != nil {
		return Page{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest++
	l := s.logs[topic]
	if l == nil {
		return Page{Known: true}, nil
	}
	p := Page{Known: true, Epoch: l.epoch, Head: l.head, Oldest: l.oldest, More: len(l.list) > entries}
	for _, m := range l.list[max(0, len(l.list)-entries):] {
		p.Entries = append(p.Entries, &Entry{Message: m})
	}
	return p, nil
}

func (s *store) Heads(_ context.Context, topics []string) ([]Position, error) {
	if err := s.failing(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads++
	s.calls = append(s.calls, len(topics))
	list := make([]Position, len(topics))
	for i, t := range topics {
		if l := s.logs[t]; l != nil {
			list[i] = Position{l.epoch, l.head}
		}
	}
	return list, nil
}

func (s *store) Rotate(_ context.Context, topic, epoch string) error {
	if err := s.failing(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.logs[topic]; l == nil && epoch == "" || l != nil && l.epoch == epoch {
		s.logs[topic] = &logs{epoch: s.epoch()}
	}
	return nil
}

func (s *store) readCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

var errAway = errors.New("the store is away")

// box is a subscriber that keeps what it gets, and finds gaps.
type box struct {
	mu      sync.Mutex
	last    Position // as a channel has it
	offsets []uint64
	plain   []string // events of messages without a place
	broke   []Position
	gaps    int
	hook    func(d *pubsub.Dispatch) // called by Deliver without the lock
}

func (b *box) Deliver(d *pubsub.Dispatch) {
	b.note(d)
	if b.hook != nil {
		b.hook(d)
	}
}

func (b *box) note(d *pubsub.Dispatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d.Place == nil {
		b.plain = append(b.plain, d.Event)
		return
	}
	if d.Memo.(*Entry).Message != d.Message {
		panic("the memo is not the entry")
	}
	if d.Place.Prev != b.last.Offset || b.last.Epoch != "" && d.Place.Epoch != b.last.Epoch {
		b.gaps++
	}
	b.last = d.Memo.(*Entry).Position()
	b.offsets = append(b.offsets, d.Place.Offset)
}

func (b *box) Broke(p Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broke = append(b.broke, p)
	b.last = p
}

func (b *box) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.offsets)
}

// want checks that the box got these messages in order.
func (b *box) want(t testing.TB, list ...*pubsub.Message) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var want []uint64
	for _, m := range list {
		want = append(want, m.Place.Offset)
	}
	if !slices.Equal(b.offsets, want) {
		t.Fatalf("got %v, want %v", b.offsets, want)
	}
}

// world is one node with a store.
type world struct {
	*Followers
	t     testing.TB
	ps    *pubsub.PubSub
	store *store
	topic Topic
	book  *notice.Book
}

// newWorld makes a node with a topic of a size. change may change the options.
func newWorld(t testing.TB, size int, change func(o *Options)) *world {
	w := &world{t: t, ps: pubsub.NewLocal(), store: newStore(size), topic: Topic{Entries: size, Bytes: 1 << 20, MaxReplay: size}}
	w.book = notice.NewBook(slog.New(slog.DiscardHandler))
	o := &Options{
		PubSub: w.ps, Source: w.store, Topic: func(string) *Topic { return &w.topic },
		Check: 30 * time.Second, Linger: 10 * time.Second, CacheBytes: 64 << 20, Book: w.book,
	}
	if change != nil {
		change(o)
	}
	w.ps = o.PubSub
	w.Followers = New(o)
	return w
}

func (w *world) close() {
	w.t.Helper()
	if err := w.Close(context.Background()); err != nil {
		w.t.Error(err)
	}
}

// join subscribes a box and waits until it is ready.
func (w *world) join(b *box) *Subscription {
	w.t.Helper()
	s := w.Subscribe("t", b)
	if err := s.begun(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	s.Join(func(head Position) { b.last = head })
	return s
}

// tell delivers messages as if the node had published them.
func (w *world) tell(list ...*pubsub.Message) {
	for _, m := range list {
		_ = w.ps.Broadcast(m)
	}
}

// append appends messages to the store.
func (w *world) append(n int) (list []*pubsub.Message) {
	for i := range n {
		list = append(list, w.store.append("t", fmt.Sprintf(`{"n":%d}`, i)))
	}
	return list
}
