package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/pubsub"
)

// Log keeps and follows the topics of one node. All methods may be called from any goroutine. Make it
// with New, and pass it to an endpoint in EndpointOptions.History.
type Log struct {
	topics    []keptTopic
	since     string // SinceParam
	store     Store
	followers *follow.Followers
	publisher publisher
	book      *notice.Book
	tasks     task.Group // calls of methods, and of the store
	closing   atomic.Bool
	closed    chan struct{} // closed when Close has ended
	closeErr  error         // set before that
}

// linger is how long a follower stays after its last subscription: clients that were cut come back
// within that time, and find the messages in memory.
const linger = 30 * time.Second

// probe is a topic without a log, by which New asks the store for a first answer.
const probe = "phx:history"

// New makes a Log on the PubSub of an endpoint; ctx bounds the start, which waits for an answer of the
// store. Close the Log before the PubSub, for example by Endpoint.OnShutdown. If New fails, the store
// stays open. A mistake in a pattern panics with the place of the call. A PubSub has one Log at a time, which
// all its endpoints share.
func New(ctx context.Context, ps *pubsub.PubSub, opts *Options) (*Log, error) {
	s, err := opts.check(ps, caller())
	if err != nil {
		return nil, err
	}
	logger := s.Logger
	if logger == nil {
		logger = slog.Default()
	}
	l := &Log{
		topics: s.topics, since: s.SinceParam, store: s.Store, closed: make(chan struct{}),
		book: notice.NewBook(slog.New(redact.NewHandler(logger.Handler()))),
	}
	direct := l.store == nil
	if direct {
		l.store = newMemory(s.StoreBytes, l.sayForgot)
	} else {
		l.store = &guarded{Store: s.Store, book: l.book}
		if _, err := (&source{l}).Heads(ctx, []string{probe}); err != nil {
			return nil, fmt.Errorf("history: the store does not answer: %w", err)
		}
	}
	if !follow.Claim(ps) {
		return nil, errors.New("history: the PubSub has a Log already; give that Log to all endpoints that share the PubSub, or close it first")
	}
	l.followers = follow.New(&follow.Options{
		PubSub: ps, Source: &source{l}, Topic: (*inside)(l).Topic,
		Check: s.Check, Linger: linger, CacheBytes: s.CacheBytes, Book: l.book,
	})
	l.publisher = publisher{store: l.store, followers: l.followers, direct: direct, timeout: s.PublishTimeout, tasks: &l.tasks, book: l.book}
	l.publisher.init()
	return l, nil
}

// sayForgot says that the memory store has forgotten a topic.
func (l *Log) sayForgot(topic string, entries int) {
	l.book.Say(notice.HistoryForgotten, notice.Foreign("topic", topic), slog.Int("messages", entries))
}

// begin counts a call, until the caller calls l.tasks.Done. After Close it returns an error.
func (l *Log) begin() error {
	// Close sets closing and then waits for the tasks, so either it waits for this call, or this call
	// sees that it has begun.
	l.tasks.Add()
	if l.closing.Load() {
		l.tasks.Done()
		return errLogClosed
	}
	return nil
}

var errLogClosed = fmt.Errorf("%w: the Log is closed", ErrUnavailable)

// Close waits until the messages that are being published have been, ends the Log, and closes its
// store. Broadcasts on kept topics that begin later return ErrUnavailable, and joins of such topics fail. If
// ctx ends first, Close returns its cause, and does not wait for the rest. It does not wait for long either
// for a call of a Store that does not end with its context. Every call returns the result of the first.
func (l *Log) Close(ctx context.Context) error {
	if !l.closing.CompareAndSwap(false, true) {
		select {
		case <-l.closed:
			return l.closeErr
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer close(l.closed)
	// The publishes that run need the followers, and the followers need the store.
	waited := l.await(ctx)
	followed := l.followers.Close(ctx)
	l.closeErr = errors.Join(waited, followed, l.store.Close(ctx))
	follow.Release(l.followers.PubSub())
	return l.closeErr
}

var errHeld = errors.New("they last longer than PublishTimeout allows")

// await waits for the calls that run, but not longer than a Store that heeds its contexts can make them
// last.
func (l *Log) await(ctx context.Context) error {
	bounded, cancel := context.WithTimeoutCause(ctx, l.publisher.timeout+tellTime+lateTime, errHeld)
	defer cancel()
	err := l.tasks.Wait(bounded)
	if err != nil {
		err = fmt.Errorf("history: callers that wait for the store, a %s: %d: %w", typeOf(l.store), l.tasks.Len(), err)
	}
	return err
}

// Erase forgets the history of a topic and begins a new one. Clients that are joined go on, and are
// told that they have lost their place: those of this node at once, and those of others with the next
// message of the topic, or within Options.Check. Each of these nodes logs the reason history_broke.
func (l *Log) Erase(ctx context.Context, topic string) error {
	if l.kept(topic) == nil {
		return notKept(topic)
	}
	if err := l.begin(); err != nil {
		return err
	}
	defer l.tasks.Done()
	heads, err := (&source{l}).Heads(ctx, []string{topic})
	if err != nil || heads[0].Epoch == "" { // without a log there is nothing to erase
		return err
	}
	if err := l.store.Rotate(ctx, topic, heads[0].Epoch); err != nil {
		return err
	}
	l.followers.Ask(topic)
	return nil
}

// inside is a Log for an endpoint: it implements follow.Log.
type inside Log

// Package bennu reaches the methods that are not for programs through this.
func init() {
	follow.Of = func(log any) follow.Log {
		if l, ok := log.(*Log); ok && l != nil {
			return (*inside)(l)
		}
		return nil
	}
}

// Topic implements follow.Log.
func (i *inside) Topic(name string) *follow.Topic {
	if k := (*Log)(i).kept(name); k != nil {
		return &k.follow
	}
	return nil
}

// Followers implements follow.Log.
func (i *inside) Followers() *follow.Followers { return i.followers }

// SinceParam implements follow.Log.
func (i *inside) SinceParam() string { return i.since }

// Publish implements follow.Log.
func (i *inside) Publish(ctx context.Context, m *pubsub.Message, o follow.PublishOptions) (follow.Position, error) {
	l := (*Log)(i)
	k := l.kept(m.Topic)
	if k == nil {
		return follow.Position{}, notKept(m.Topic)
	}
	err := l.begin()
	if err == nil {
		defer l.tasks.Done()
		var at follow.Position
		if at, err = l.publisher.publish(ctx, k, m, &o); err == nil {
			return at, nil
		}
	}
	l.publisher.failed(m, err)
	return follow.Position{}, err
}
