package pubsubtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// outage stops the broker and starts it again. During the outage a node serves its own subscribers, and
// Broadcast does not block. After it, subscribers on other nodes get a gap, then messages again, in
// order, and Health.Missed has the number of those that did not come. Interest that begins during the
// outage is confirmed after it.
func outage(s *suite) {
	if s.Break == nil {
		s.Skip("OUTAGES ARE NOT TESTED: Cluster.Break is nil")
	}
	a, b, _ := s.nodes()
	local, _ := s.subscribe(a, "t")
	far, _ := s.subscribe(b, "t")
	sent := 0
	publish := func() {
		sent++
		err := a.Broadcast(&pubsub.Message{Topic: "t", Event: fmt.Sprint(sent)})
		if err != nil && !errors.Is(err, pubsub.ErrBufferFull) {
			s.Errorf("Broadcast during an outage: %v; want nil, or ErrBufferFull", err)
		}
	}
	publish()
	s.arrive("messages arrive", far, func() bool { return far.Count() == 1 })

	mend := s.Break(s.T)
	s.eventually("nodes notice that the broker is away", func() bool {
		return !a.Health().Connected && !b.Health().Connected
	})
	if a.Health().Err == nil {
		s.Error("Health.Err is nil while the broker is away")
	}
	for range 50 {
		publish()
	}
	if n := local.Count(); n != sent {
		s.Errorf("%d of %d messages were delivered on the node of their publisher while the broker was away", n, sent)
	}
	// Interest that begins during the outage is confirmed after it. In a topic that the node has
	// already, another subscription needs no broker.
	late := &subscribertest.Box{}
	sub := b.Subscribe("late", late)
	_, gone := s.subscribe(a, "t")
	gone.Cancel()
	select {
	case <-sub.Ready():
		s.Error("interest was confirmed while the broker was away")
	default:
	}

	mend()
	s.eventually("nodes notice that the broker is back", func() bool { return a.Health().Connected && b.Health().Connected })
	s.await(sub, "late")
	s.eventually("subscribers that may have missed messages get a gap", func() bool { return far.Gaps() > 0 })
	seen := far.Count()
	// The nodes connect at different times, so the first messages may still be missed.
	s.eventually("messages arrive again", func() bool {
		publish()
		time.Sleep(10 * time.Millisecond)
		return far.Count() > seen
	})
	s.broadcast(a, "late", "x")
	late.Want(s.T, "interest that began during the outage gets messages after it", "x")

	// Messages that did not come are counted as missed.
	publish()
	last := fmt.Sprint(sent)
	s.eventually("the last message arrives", func() bool {
		list := far.Events()
		return list[len(list)-1] == last
	})
	// Missed comes from the numbers of messages: the last one shows how many there were before it.
	if got, missed := far.Count(), int(b.Health().Missed); got+missed != sent {
		s.Errorf("%d messages were published, %d arrived, and %d are counted as missed", sent, got, missed)
	}
	before := 0
	for _, e := range far.Events() {
		var n int
		fmt.Sscan(e, &n)
		if n <= before {
			s.Fatalf("message %d came after %d", n, before)
		}
		before = n
	}
	if n := local.Count(); n != sent {
		s.Errorf("%d of %d messages were delivered on the node of their publisher", n, sent)
	}
}

// sleeper is a subscriber that blocks in its first Deliver, which subscribers must not do.
type sleeper struct {
	subscribertest.Box
	wake chan struct{} // it blocks until this is closed
	once sync.Once
	at   chan struct{} // closed when it blocks
}

// Deliver implements pubsub.Subscriber.
func (b *sleeper) Deliver(d *pubsub.Dispatch) {
	b.once.Do(func() {
		close(b.at)
		<-b.wake
	})
	b.Box.Deliver(d)
}

// slowNode blocks one of three nodes. The publisher and the other node are not delayed. The slow node
// later gets its messages, or reports a gap. About 20 MiB are published.
func slowNode(s *suite) {
	a, b, c := s.nodes()
	slow := &sleeper{wake: make(chan struct{}), at: make(chan struct{})}
	wake := sync.OnceFunc(func() { close(slow.wake) })
	defer wake() // otherwise the node could not be closed
	s.await(b.Subscribe("t", slow), "t")
	quick, _ := s.subscribe(c, "t")
	payload := make([]byte, min(100<<10, s.MaxPayload))
	messages := max(200, (20<<20)/len(payload)) // more than the queues on the way to a node hold
	for i := range messages {
		if err := a.Broadcast(&pubsub.Message{Topic: "t", Event: fmt.Sprint(i), Payload: payload, Binary: true}); err != nil {
			s.Fatalf("Broadcast while another node is slow: %v", err)
		}
		// At most ten are on their way to the quick node, so that it has no gap itself.
		s.arrive("a slow node does not delay the messages of others", quick, func() bool { return quick.Count() > i-10 })
	}
	<-slow.at
	s.arrive("a node beside a slow one gets all its messages", quick, func() bool { return quick.Count() == messages })
	wake()
	s.eventually("a slow node gets its messages late, or reports a gap", func() bool {
		list := slow.Events()
		return len(list) > 0 && list[len(list)-1] == fmt.Sprint(messages-1) || slow.Gaps() > 0
	})
	before := -1
	for _, e := range slow.Events() {
		var n int
		fmt.Sscan(e, &n)
		// Some may be missing if they are counted, but none may be out of order or come twice.
		if n <= before || n != before+1 && b.Health().Missed == 0 {
			s.Fatalf("on the slow node message %d came after %d", n, before)
		}
		before = n
	}
}

// garbage checks that data which no node has sent is dropped and counted, and causes no gap. Some of it
// looks like the beginning of an envelope of package cluster.
func garbage(s *suite) {
	if s.Garbage == nil {
		s.Skip("GARBAGE IS NOT TESTED: Cluster.Garbage is nil")
	}
	a, b, _ := s.nodes()
	box, _ := s.subscribe(b, "t")
	junk := [][]byte{nil, {0}, []byte("bn"), []byte("hello"), []byte(strings.Repeat("x", 100)), []byte("bn\x01\x01"), []byte("bn\x01\x01\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		[]byte("bn\x01\x05\x00\x00\x00\x00\x00\x00\x00\x01"), []byte("bn\x63\x01\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01\x01t\x01e{}")}
	for _, data := range junk {
		s.Cluster.Garbage(s.T, "t", data)
	}
	s.eventually("garbage is counted", func() bool { return b.Health().Garbage >= int64(len(junk)) })
	s.broadcast(a, "t", "sound")
	s.want("messages arrive, and garbage does not", box, "sound")
	h := b.Health()
	if !h.Connected {
		s.Errorf("garbage disturbed the connection: %+v", h)
	}
	s.noGap("garbage is not a gap", h)
}

// name starts two nodes with the same name. The second must not start, and the first must go on. A direct
// message could not be addressed to one of them alone. The error must have the name in its text, and the
// first node counts the attempt in Health.Conflicts.
func name(s *suite) {
	a, b, _ := s.nodes()
	ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
	defer cancel()
	second, err := pubsub.New(ctx, &pubsub.Options{Adapter: s.Node(s.T, "a")})
	if err == nil {
		_ = second.Close(ctx)
		s.Fatal("a second node with the name of a running one has started")
	}
	if !errors.Is(err, pubsub.ErrNameTaken) || !strings.Contains(err.Error(), `"a"`) {
		s.Errorf("the error is not ErrNameTaken with the name: %v", err)
	}
	s.eventually("the first node of that name counts the conflict", func() bool { return a.Health().Conflicts > 0 })
	if err := a.Health().Err; err != nil {
		s.Errorf("the first node of that name reports an error: %v", err)
	}
	box, _ := s.subscribe(a, "t")
	s.broadcast(b, "t", "x")
	s.want("the first node goes on", box, "x")
}

// closing closes a node. Messages that it has accepted arrive, it goes on serving its own subscribers, and
// another node may then use its name. Broadcast then returns ErrStopped.
func closing(s *suite) {
	a, b, _ := s.nodes()
	ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
	defer cancel()
	far, _ := s.subscribe(b, "t")
	local, sub := s.subscribe(a, "t")
	for i := range 100 {
		s.broadcast(a, "t", fmt.Sprint(i))
	}
	if err := a.Close(ctx); err != nil {
		s.Errorf("Close: %v", err)
	}
	s.arrive("messages that were published before Close arrive", far, func() bool { return far.Count() == 100 })
	s.eventually("other nodes notice that a node was closed", func() bool { return len(b.Health().Peers) == 1 })
	if err := a.Broadcast(&pubsub.Message{Topic: "t", Event: "late"}); !errors.Is(err, pubsub.ErrStopped) {
		s.Errorf("Broadcast after Close: %v, want ErrStopped", err)
	}
	if n := local.Count(); n != 101 {
		s.Errorf("after Close a node still delivers to its own subscribers: got %d messages, want 101", n)
	}
	if h := a.Health(); h.Connected || h.Err == nil {
		s.Errorf("health after Close: %+v", h)
	}
	// Subscriptions may still be made and cancelled. This must not panic or block.
	sub.Cancel()
	a.Subscribe("other", &subscribertest.Box{}).Cancel()
	if err := a.Close(ctx); err != nil {
		s.Errorf("a second Close: %v", err)
	}
	again := s.node("a")
	box, _ := s.subscribe(again, "t")
	s.broadcast(b, "t", "x")
	s.want("a name can be used again after Close", box, "x")
	s.eventually("other nodes know the new node of that name", func() bool { return len(b.Health().Peers) == 2 })
}
