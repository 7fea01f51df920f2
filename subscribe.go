package bennu

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// Bounds of the broadcasts that wait for one subscription of an endpoint. One broadcast of any size
// is always taken.
const (
	subscriptionMessages = 1024
	subscriptionBytes    = 16 << 20
)

// Subscription is a function of the program that is called with the broadcasts of a topic; see
// Endpoint.Subscribe.
type Subscription struct {
	node   *node
	topic  string
	f      func(ctx context.Context, b Broadcast)
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex // guards the fields below
	sub     subscription
	queue   []Broadcast
	bytes   int  // of payloads in the queue
	missed  int  // broadcasts dropped since the last in the queue
	gap     bool // missed counts a gap already
	running bool // the goroutine exists
	stopped bool // Cancel was called
}

// Subscribe calls f with each broadcast of a topic, one at a time and in order. The topic is a
// whole topic; only SocketHandler.Channel takes patterns such as "room:*".
//
// f runs in a goroutine of its own, so a slow f does not delay publishers. Once 1,024 broadcasts or
// 16 MiB wait for it, further ones are dropped, and Missed of the next one says how many. If
// broadcasts of other nodes may have been missed, because the broker was unreachable or refuses the
// topic, the log has subscriber_gap, and Missed counts it as one, since the number is unknown. A
// panic in f is logged, and f is called with the next broadcast. The context ends with the
// subscription, or with Shutdown. On a topic that has a history none of other nodes is missed.
func (e *Endpoint) Subscribe(topic string, f func(ctx context.Context, b Broadcast)) *Subscription {
	if f == nil {
		panic(fmt.Sprintf("bennu: %s: Subscribe needs a function", caller()))
	}
	s := &Subscription{node: &e.node, topic: topic, f: f}
	s.ctx, s.cancel = context.WithCancel(e.ctx)
	sub := e.subscribe(topic, (*subscriber)(s))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sub = sub
	return s
}

// subscribe subscribes s to a topic: at the PubSub, or at its follower if it has a history.
func (n *node) subscribe(topic string, s pubsub.Subscriber) subscription {
	if n.keeps(topic) != nil {
		return n.keeping.Followers().Subscribe(topic, s)
	}
	return n.pubsub.Subscribe(topic, s)
}

// isUnsound reports whether a broadcast must be dropped by subscribers that are no channels of its
// topic. Entries of a history have been checked; one without an event was not valid.
func (n *node) isUnsound(d *pubsub.Dispatch) bool {
	if e, ok := d.Memo.(*follow.Entry); ok {
		return e.Event == ""
	}
	return !n.sound(d)
}

// Cancel ends the subscription. After Cancel has returned, one call of f may still run or begin, and
// none follows it. Further calls of Cancel do nothing.
func (s *Subscription) Cancel() {
	s.mu.Lock()
	s.stopped = true
	s.queue, s.bytes = nil, 0
	sub := s.sub
	s.mu.Unlock()
	s.cancel()
	sub.Cancel()
}

// subscriber is the interface of a Subscription to the PubSub and the task group. It is a type of
// its own so that these methods are not part of the public type.
type subscriber Subscription

// Deliver implements pubsub.Subscriber.
func (l *subscriber) Deliver(d *pubsub.Dispatch) {
	s := (*Subscription)(l)
	if s.node.isUnsound(d) {
		return
	}
	if !s.take(d) {
		s.node.book.Say(notice.SlowSubscriber, notice.Foreign("topic", s.topic), notice.Foreign("event", d.Event), slog.Int("limit", subscriptionMessages))
	}
}

// Gap implements pubsub.GapSubscriber. Several gaps without a broadcast between them count as one.
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

// take queues a broadcast. It reports false when the bounds are reached and the broadcast is
// dropped.
func (s *Subscription) take(d *pubsub.Dispatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.ctx.Err() != nil {
		return true // ended; another endpoint may still use the same PubSub
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

// Run calls f until the queue is empty. After a panic of f another goroutine continues. It
// implements task.Runner.
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
