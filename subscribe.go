package bennu

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// What waits for one subscription of an endpoint, at most. A lone broadcast is always taken.
const (
	subscriptionMessages = 1024
	subscriptionBytes    = 16 << 20
)

// Subscription is a function of the server that hears a topic.
type Subscription struct {
	node   *node
	topic  string
	f      func(ctx context.Context, b Broadcast)
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	sub     *pubsub.Subscription
	queue   []Broadcast
	bytes   int // of payloads in the queue
	missed  int
	gap     bool // is in missed: nothing was taken since
	running bool
	stopped bool
}

// Subscribe calls f with each broadcast of a topic, one at a time and in order. The topic is
// a whole one: patterns such as "room:*" are for SocketHandler.Channel alone.
//
// f runs in a goroutine of its own, so a slow f holds up no publisher. Once 1,024
// broadcasts or 16 MiB wait for it, further ones are dropped, and the Missed of the next
// says how many. When broadcasts of other nodes may have been missed, because the broker was away
// or refuses the topic, the log has subscriber_gap, and Missed counts one, as nobody
// knows how many. A panic in f is logged, and f is called with the next. The context ends
// with the subscription, or with Shutdown.
func (e *Endpoint) Subscribe(topic string, f func(ctx context.Context, b Broadcast)) *Subscription {
	if f == nil {
		panic(fmt.Sprintf("bennu: %s: Subscribe needs a function", caller()))
	}
	s := &Subscription{node: &e.node, topic: topic, f: f}
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
	s.queue, s.bytes = nil, 0
	sub := s.sub
	s.mu.Unlock()
	s.cancel()
	sub.Cancel()
}

// subscriber is a Subscription as the PubSub and its goroutine see it, so that these methods are
// not in the public type.
type subscriber Subscription

// Deliver implements pubsub.Subscriber.
func (l *subscriber) Deliver(d *pubsub.Dispatch) {
	s := (*Subscription)(l)
	if !s.node.sound(d) {
		return
	}
	if !s.take(d) {
		s.node.book.Say(notice.SlowSubscriber, notice.Foreign("topic", s.topic), notice.Foreign("event", d.Event), slog.Int("limit", subscriptionMessages))
	}
}

// Gap implements pubsub.GapSubscriber.
func (l *subscriber) Gap(string) {
	s := (*Subscription)(l)
	s.mu.Lock()
	news := !s.gap && !s.stopped && s.ctx.Err() == nil
	if news {
		s.gap = true
		s.missed++
	}
	s.mu.Unlock()
	if news {
		s.node.book.Say(notice.SubscriberGap, notice.Foreign("topic", s.topic))
	}
}

// take queues a broadcast, and reports false when too many wait.
func (s *Subscription) take(d *pubsub.Dispatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.ctx.Err() != nil {
		return true // Shutdown ends it, too: another endpoint may go on with the same PubSub
	}
	if len(s.queue) >= subscriptionMessages || s.bytes+len(d.Payload) > subscriptionBytes && len(s.queue) > 0 {
		s.missed++
		return false
	}
	b := broadcastOf(d.Message)
	b.Missed, s.missed, s.gap = s.missed, 0, false
	s.queue = append(s.queue, b)
	s.bytes += len(b.Payload.Data)
	if !s.running {
		s.running = true
		s.node.tasks.Start((*subscriber)(s))
	}
	return true
}

// Run implements task.Runner.
func (l *subscriber) Run() {
	s, returned := (*Subscription)(l), false
	defer func() {
		if !returned {
			reason := newPanicError(recover())
			s.node.book.Say(notice.SubscriberCrash, append(errorAttrs(reason), notice.Foreign("topic", s.topic))...)
			s.node.tasks.Start(l)
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
		s.bytes -= len(b.Payload.Data)
		s.mu.Unlock()
		s.f(s.ctx, b)
	}
}
