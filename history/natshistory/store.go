package natshistory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
)

// store implements history.Store with a stream of JetStream. Its files, from the connection upwards:
//
//   - link.go has the connection: one request and its answer, and what it means if none comes.
//   - api.go has the requests to JetStream, and which errors pass; direct.go those that any replica answers;
//     publish.go publishes to the stream.
//   - stream.go makes and checks the stream; subject.go has the names of subjects, and ids and offsets.
//   - record.go has the form of a message in the stream; topics.go what this node knows of a topic.
//   - append.go, read.go (with search.go), heads.go and rotate.go have the methods of the store.
//   - janitor.go removes topics that nobody uses; marks.go keeps those that nodes follow; clock.go knows the
//     time of the server.
//
// The lock of a topic is its turn, which an append holds while it asks NATS. store.mu, link.mu,
// topics.mu, marks.mu and topic.mu guard fields alone: none is taken under another, and nothing is asked
// while one is held.
//
// Goroutines, which Close awaits: janitor. Others are those of the callers.
type store struct {
	Options // with all defaults
	link    *link
	book    *notice.Book
	topics  topics
	marks   marks
	clock   clock
	mending sync.Mutex // held while the stream is checked or made, so that calls which miss it do so once

	life context.Context // ends with Close
	end  context.CancelFunc

	mu        sync.Mutex
	closed    bool
	running   sync.WaitGroup // calls and the janitor
	leastLife time.Duration
	single    atomic.Bool // a server before 2.11 has answered
}

func newStore(o *Options, l *link) *store {
	s := &store{Options: *o, link: l, leastLife: leastLife}
	s.book = notice.NewBook(slog.New(redact.NewHandler(o.Logger.Handler())))
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// startTime bounds the start: NATS may be electing a leader.
const startTime = 20 * time.Second

// open connects, and makes or checks the stream. If that fails, nothing is left behind: New has no store
// to return which the program could close.
func (s *store) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime+s.link.timeout)
	defer cancel()
	err := s.link.open(ctx)
	if err == nil {
		if err = s.start(ctx); err == nil {
			s.running.Go(s.janitor)
			return nil
		}
	}
	s.end()
	s.link.close()
	return err
}

// enter begins a call, which must end with a call of leave. Close waits for calls that have begun, so a
// message whose append has begun is not lost by a shutdown.
func (s *store) enter() (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%w: it is closed", history.ErrUnavailable)
	}
	s.running.Add(1)
	return s.running.Done, nil
}

// Close implements history.Store. It waits for calls that have begun, which do not try again. When ctx
// ends, it ends them.
func (s *store) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = fmt.Errorf("natshistory: close: %w", context.Cause(ctx))
	}
	s.link.close()
	<-ended
	return err
}

// failed returns the error of a call of the store. unsure says that NATS may have done what was asked,
// or may do it later: that counts more than what the last try has met, since ErrUnavailable and ErrTooLarge
// promise that nothing was done.
func failed(err error, unsure bool) error {
	switch {
	case unsure:
		return fmt.Errorf("%w: %w", history.ErrUnknown, err)
	case errors.Is(err, nats.ErrMaxPayload), hasCode(err, codeTooLarge), hasCode(err, codeHeaderLarge):
		return fmt.Errorf("%w: %w", history.ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", history.ErrUnavailable, err)
}
