package bennu

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// subscriptionMessages bounds what waits for one subscription of an endpoint.
const subscriptionMessages = 1024

// Subscription is a function of the server that hears a topic.
type Subscription struct {
	endpoint *Endpoint
	topic    string
	f        func(ctx context.Context, b Broadcast)
	ctx      context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	sub     *pubsub.Subscription
	queue   []Broadcast
	missed  int
	running bool
	stopped bool
}

// Subscribe calls f with each broadcast of a topic, one at a time and in order. It
// runs in a goroutine of its own, so a slow f holds up no publisher: once 1,024
// broadcasts wait, further ones are dropped, counted, and told of by the next one's
// Missed. A panic in f is logged and f goes on with the next. The context ends with the
// subscription, or with Shutdown.
func (e *Endpoint) Subscribe(topic string, f func(ctx context.Context, b Broadcast)) *Subscription {
	if f == nil {
		panic(fmt.Sprintf("bennu: %s: Subscribe needs a function", caller()))
	}
	s := &Subscription{endpoint: e, topic: topic, f: f}
	s.ctx, s.cancel = context.WithCancel(e.ctx)
	sub := e.pubsub.Subscribe(topic, (*subscriber)(s))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sub = sub
	return s
}

// Cancel ends the subscription. f is not called again after it returns, but a call
// may still be running. Calling it again has no effect.
func (s *Subscription) Cancel() {
	s.mu.Lock()
	s.stopped = true
	s.queue = nil
	sub := s.sub
	s.mu.Unlock()
	s.cancel()
	sub.Cancel()
}

type subscriber Subscription

// Deliver implements pubsub.Subscriber.
func (l *subscriber) Deliver(d *pubsub.Dispatch) {
	s := (*Subscription)(l)
	if !s.endpoint.sound(d) {
		return
	}
	if !s.take(d) {
		s.endpoint.book.Say(notice.SlowSubscriber, notice.Foreign("topic", s.topic), notice.Foreign("event", d.Event), slog.Int("limit", subscriptionMessages))
	}
}

// take queues a broadcast, and reports false when too many wait.
func (s *Subscription) take(d *pubsub.Dispatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.ctx.Err() != nil {
		return true // Shutdown ends it, too: another endpoint may go on with the same PubSub
	}
	if len(s.queue) >= subscriptionMessages {
		s.missed++
		return false
	}
	b := broadcastOf(d.Message)
	b.Missed, s.missed = s.missed, 0
	s.queue = append(s.queue, b)
	if !s.running {
		s.running = true
		s.endpoint.tasks.Start(s)
	}
	return true
}

// Run is called by the task group of the endpoint, and by nobody else.
func (s *Subscription) Run() {
	returned := false
	defer func() {
		if !returned {
			reason := newPanicError(recover())
			s.endpoint.book.Say(notice.SubscriberCrash, append(errorAttrs(reason), notice.Foreign("topic", s.topic))...)
			s.endpoint.tasks.Start(s)
		}
	}()
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.running = false
			s.queue = nil
			s.mu.Unlock()
			returned = true
			return
		}
		b := s.queue[0]
		s.queue[0] = Broadcast{}
		s.queue = s.queue[1:]
		s.mu.Unlock()
		s.f(s.ctx, b)
	}
}
