package history_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// node is a Log with its PubSub and what it has logged.
type node struct {
	*history.Log
	t     testing.TB
	ps    *pubsub.PubSub
	lines waittest.Buffer
}

// start makes a node without others. It is closed when the test ends.
func start(t testing.TB, o *history.Options) *node {
	t.Helper()
	return startOn(t, pubsub.NewLocal(), o)
}

// startOn makes a node on a PubSub.
func startOn(t testing.TB, ps *pubsub.PubSub, o *history.Options) *node {
	t.Helper()
	n := &node{t: t, ps: ps}
	if o.Topics == nil {
		o.Topics = []history.Topic{{Pattern: "t*"}}
	}
	o.Logger = slog.New(slog.NewTextHandler(&n.lines, nil))
	log, err := history.New(t.Context(), n.ps, o)
	if err != nil {
		t.Fatal(err)
	}
	n.Log = log
	t.Cleanup(func() { n.close() })
	return n
}

func (n *node) close() {
	if err := n.Close(context.Background()); err != nil {
		n.t.Error(err)
	}
}

func (n *node) inside() follow.Log { return follow.Of(n.Log) }

// publish publishes a message with an event and no fields.
func (n *node) publish(ctx context.Context, topic, event string, o follow.PublishOptions) (history.Offset, error) {
	at, err := n.inside().Publish(ctx, &pubsub.Message{Topic: topic, Event: event, Payload: []byte("{}")}, o)
	if err != nil {
		return history.Offset{}, err
	}
	return history.OffsetOf(history.Place{Epoch: at.Epoch, Offset: at.Offset}), nil
}

// must publishes events, each of which must succeed, and returns the last offset.
func (n *node) must(topic string, events ...string) (at history.Offset) {
	n.t.Helper()
	for _, event := range events {
		var err error
		if at, err = n.publish(n.t.Context(), topic, event, follow.PublishOptions{}); err != nil {
			n.t.Fatalf("publish %q on %q: %v", event, topic, err)
		}
	}
	return at
}

// events reads the events of a topic in the store.
func (n *node) events(topic string) string {
	n.t.Helper()
	p, err := n.Read(context.Background(), topic, &history.Query{Limit: 1000})
	if err != nil {
		n.t.Fatal(err)
	}
	return eventsOf(p.Messages)
}

func eventsOf(list []history.Message) string {
	var events []string
	for _, m := range list {
		events = append(events, m.Event)
	}
	return strings.Join(events, " ")
}

// recorder is a subscriber that remembers the events it gets.
type recorder struct {
	mu     sync.Mutex
	events []string
	broke  int
}

// subscribe subscribes a recorder to a kept topic, until the test ends.
func (n *node) subscribe(topic string) *recorder {
	n.t.Helper()
	r := new(recorder)
	sub := n.inside().Followers().Subscribe(topic, r)
	for ready := sub.Ready(); ready != nil; ready = sub.Ready() {
		waittest.Next(n.t, "the follower is ready", ready)
	}
	n.t.Cleanup(sub.Cancel)
	return r
}

func (r *recorder) Deliver(d *pubsub.Dispatch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, d.Event)
}

func (r *recorder) Broke(follow.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broke++
}

func (r *recorder) got() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.events, " ")
}

func (r *recorder) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// store is a Store whose appends and reads go wrong as a test wants.
type store struct {
	history.Store
	// append is called in place of Append if it is not nil.
	append func(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error)
	// read may change what was read.
	read  func(p *history.Piece)
	heads func(list []history.Head) []history.Head
	down  error // of Heads
}

func newStore() *store { return &store{Store: history.NewMemory(1 << 30)} }

func (s *store) Append(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
	if s.append != nil {
		return s.append(ctx, topic, e, o)
	}
	return s.Store.Append(ctx, topic, e, o)
}

func (s *store) Read(ctx context.Context, topic string, after uint64, o *history.ReadOptions) (history.Piece, error) {
	p, err := s.Store.Read(ctx, topic, after, o)
	if s.read != nil {
		s.read(&p)
	}
	return p, err
}

func (s *store) Heads(ctx context.Context, topics []string) ([]history.Head, error) {
	if s.down != nil {
		return nil, s.down
	}
	list, err := s.Store.Heads(ctx, topics)
	if s.heads != nil {
		list = s.heads(list)
	}
	return list, err
}

// wantError checks that an error is one, and none of the others.
func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	for _, e := range []error{history.ErrUnavailable, history.ErrUnknown, history.ErrConflict, history.ErrTooLarge, history.ErrBusy, history.ErrNotKept} {
		if errors.Is(err, e) != (e == want) {
			t.Errorf("%s: %v; want %v alone", what, err, want)
			return
		}
	}
}
