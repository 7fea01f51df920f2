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

// outage stops the broker and starts it again.
func outage(s *suite) {
	if s.Break == nil {
		s.Skip("THIS BROKER CANNOT BE TAKEN AWAY (Cluster.Break is nil): what happens then is not tested")
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
	s.eventually("nodes know that the broker is away", func() bool {
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
	// Interest that is taken now is confirmed later.
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
	s.eventually("nodes know that the broker is back", func() bool { return a.Health().Connected && b.Health().Connected })
	s.await(sub, "late")
	s.eventually("subscribers are told that they may have missed something", func() bool { return far.Gaps() > 0 })
	seen := far.Count()
	s.eventually("messages arrive again", func() bool {
		publish()
		time.Sleep(10 * time.Millisecond)
		return far.Count() > seen
	})
	s.broadcast(a, "late", "x")
	late.Want(s.T, "interest taken during the outage works", "x") // of the outage it was told

	// What was published and did not come is counted.
	publish()
	last := fmt.Sprint(sent)
	s.eventually("the last message arrives", func() bool {
		list := far.Events()
		return list[len(list)-1] == last
	})
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

// sleeper is a subscriber that blocks, which none should.
type sleeper struct {
	subscribertest.Box
	wake chan struct{}
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

// slowNode blocks a node that should take its messages.
func slowNode(s *suite) {
	a, b, c := s.nodes()
	slow := &sleeper{wake: make(chan struct{}), at: make(chan struct{})}
	wake := sync.OnceFunc(func() { close(slow.wake) })
	defer wake() // or the node could not be closed
	s.await(b.Subscribe("t", slow), "t")
	quick, _ := s.subscribe(c, "t")
	payload := make([]byte, min(100<<10, s.MaxPayload))
	messages := max(200, (20<<20)/len(payload)) // more than what waits for a node on its way
	for i := range messages {
		if err := a.Broadcast(&pubsub.Message{Topic: "t", Event: fmt.Sprint(i), Payload: payload, Binary: true}); err != nil {
			s.Fatalf("Broadcast while another node is slow: %v", err)
		}
		s.arrive("messages arrive at a node that takes them while another does not", quick, func() bool { return quick.Count() > i-10 })
	}
	<-slow.at
	s.arrive("a node that takes its messages gets them all", quick, func() bool { return quick.Count() == messages })
	wake()
	s.eventually("a slow node gets its messages late, or is told that it missed some", func() bool {
		list := slow.Events()
		return len(list) > 0 && list[len(list)-1] == fmt.Sprint(messages-1) || slow.Gaps() > 0
	})
	before := -1
	for _, e := range slow.Events() {
		var n int
		fmt.Sscan(e, &n)
		if n <= before || n != before+1 && b.Health().Missed == 0 {
			s.Fatalf("on the slow node message %d came after %d", n, before)
		}
		before = n
	}
}

// garbage publishes data that no node has sent.
func garbage(s *suite) {
	if s.Garbage == nil {
		s.Skip("NOTHING CAN BE PUBLISHED PAST THE ADAPTER (Cluster.Garbage is nil): garbage is not tested")
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
		s.Errorf("garbage troubled the connection: %+v", h)
	}
	s.noGap("garbage is no gap", h)
}

// name starts two nodes with one name.
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
	s.eventually("the first node of that name counts it", func() bool { return a.Health().Conflicts > 0 })
	if err := a.Health().Err; err != nil {
		s.Errorf("the first node of that name is not well: %v", err)
	}
	box, _ := s.subscribe(a, "t")
	s.broadcast(b, "t", "x")
	s.want("the first node goes on", box, "x")
}

// closing closes a node.
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
	s.arrive("what was published before Close arrives", far, func() bool { return far.Count() == 100 })
	s.eventually("other nodes know that one has gone", func() bool { return len(b.Health().Peers) == 1 })
	if err := a.Broadcast(&pubsub.Message{Topic: "t", Event: "late"}); !errors.Is(err, pubsub.ErrStopped) {
		s.Errorf("Broadcast after Close: %v, want ErrStopped", err)
	}
	if n := local.Count(); n != 101 {
		s.Errorf("after Close a node serves itself: got %d messages, want 101", n)
	}
	if h := a.Health(); h.Connected || h.Err == nil {
		s.Errorf("health after Close: %+v", h)
	}
	sub.Cancel()
	a.Subscribe("other", &subscribertest.Box{}).Cancel()
	if err := a.Close(ctx); err != nil {
		s.Errorf("a second Close: %v", err)
	}
	again := s.node("a")
	box, _ := s.subscribe(again, "t")
	s.broadcast(b, "t", "x")
	s.want("a name can be used again after Close", box, "x")
	s.eventually("and is known", func() bool { return len(b.Health().Peers) == 2 })
}
