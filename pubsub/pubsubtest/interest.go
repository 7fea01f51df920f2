package pubsubtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/pubsub"
)

// ready checks the law of Ready: when it is closed, no later message of any node is missed. It publishes
// on another node as soon as interest is confirmed, first with one subscription after the other, then
// with many at once, which may share a confirmation. The rounds are a hundredth of Cluster.Messages, from
// 20 to 200; then 300 goroutines subscribe at once.
func ready(s *suite) {
	a, b, c := s.nodes()
	publishers := []*pubsub.PubSub{a, c}
	// Each round has a new topic: the interest in an earlier one may not have ended yet.
	for round := range min(max(s.Messages/100, 20), 200) {
		topic := fmt.Sprint("round ", round)
		box, sub := s.subscribe(b, topic)
		from := publishers[round%2]
		s.broadcast(from, topic, "first")
		s.want("a message that any node publishes after Ready was closed arrives", box, "first")
		sub.Cancel()
		if s.Failed() {
			return
		}
	}
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			topic := fmt.Sprint("crowd ", i)
			box, sub := s.subscribe(b, topic)
			defer sub.Cancel()
			s.broadcast(publishers[i%2], topic, "first")
			s.want("a message that any node publishes after Ready was closed arrives", box, "first")
		})
	}
	all.Wait()
}

// interest checks that a node receives only the topics that it wants, that it ends its interest some time
// after the last subscription, and that it can begin it again. It reads Received and Topics of
// pubsub.Health, so an adapter must keep these counters.
func interest(s *suite) {
	a, b, c := s.nodes()
	box, sub := s.subscribe(b, "wanted")
	before := c.Health().Received
	for range 100 {
		s.broadcast(a, "wanted", "x")
	}
	s.arrive("messages arrive", box, func() bool { return box.Count() == 100 })
	s.fence(a, c, "other") // after it, c would have received messages of "wanted"
	if n := c.Health().Received - before; n != 1 {
		s.Errorf("a node without interest received %d messages, want only the one it subscribed to", n)
	}
	sub.Cancel()
	s.eventually("interest ends some time after the last subscription", func() bool { return b.Health().Topics == 0 })
	s.broadcast(a, "wanted", "x")
	s.fence(a, c, "and gone") // so that the message has been sent
	box, _ = s.subscribe(b, "wanted")
	s.broadcast(a, "wanted", "y")
	// The "x" may still come: a server of the broker may hear of the end and of the new beginning before it.
	s.arrive("interest that has ended can begin again", box, func() bool { return slices.Contains(box.Events(), "y") })
	s.noGap("messages of a topic that a node did not want are not a gap", b.Health())
}

// churn checks that messages of one topic all arrive, in order, while several goroutines subscribe to
// other topics and cancel all the time, and that those topics work afterwards. It finds adapters that
// confuse an old subscription with a new one to the same topic.
func churn(s *suite) {
	a, b, _ := s.nodes()
	stays, _ := s.subscribe(b, "stays")
	stop := make(chan struct{})
	var all sync.WaitGroup
	rest := sync.OnceFunc(func() { close(stop); all.Wait() })
	defer rest()
	for i := range 4 {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// The goroutines share 20 topics, so interest in one often begins while it
				// ends. Most cancel before the broker has confirmed it.
				topic := fmt.Sprint("churn ", r.IntN(20))
				sub := b.Subscribe(topic, &subscribertest.Box{})
				if r.IntN(3) == 0 {
					s.await(sub, topic)
				}
				sub.Cancel()
			}
		})
	}
	const messages = 3000
	for i := range messages {
		s.broadcast(a, "stays", fmt.Sprint(i))
		if i%10 == 0 {
			s.broadcast(a, fmt.Sprint("churn ", i%20), "x")
			// About 500 are on their way, so that no queue of the broker overflows.
			s.arrive("messages arrive", stays, func() bool { return stays.Count() > i-500 })
		}
	}
	rest()
	s.arrive("a subscriber that stays gets all messages", stays, func() bool { return stays.Count() == messages })
	for i, e := range stays.Events() {
		if e != fmt.Sprint(i) {
			s.Fatalf("message %d is %s", i, e)
		}
	}
	for i := range 20 {
		topic := fmt.Sprint("churn ", i)
		box, sub := s.subscribe(b, topic)
		s.broadcast(a, topic, "after")
		s.arrive("a topic works after churn", box, func() bool { return box.Count() > 0 })
		sub.Cancel()
	}
	s.eventually("interest in all topics but one ends", func() bool { return b.Health().Topics == 1 })
}

// hostile returns topics that a broker may take for wildcards, for commands, for its own names, or for
// each other: wildcards of NATS and Redis, line ends, invalid UTF-8, equal-looking characters, names that
// an adapter may use for its own channels, and very long ones.
func hostile() []string {
	list := []string{
		"", " ", "*", ">", ".", "..", "a.b", "a.*", "a.>", "a..b", ".a", "a.", "*.*", "$SYS.>", "$SYS", "_INBOX.x", "$JS.API.>",
		"?", "[a-z]", "h[ae]llo", "h?llo", "{}", "{a}", "{a}b", "a{b}c", "\x00", "a\x00b", "\r\n", "a\r\nb", "PUB x 0\r\n\r\n",
		"a b", "a\tb", "\xff\xfe", "\xc3\x28", "é", "e\u0301", "E\u0301", "A", "a", "\u0430", "ａ", "a\u200b", "\u202ea",
		"=", "==", "=2E", "=2e", "a=2Eb", "=h", "=h00", "%2e", "a/b", "a\\b", "a:b", "a::b", "a;b", "room:1", "room:10", "room:1 ",
		"__keyspace@0__:x", "bennu.t.x", "bennu.c", "bennu.n.a", "phoenix", "phx:x", "-", "--", "'", "\"", "`", "~", "#", "a#b",
	}
	for _, long := range []int{200, 511, 512, 513, 600, 4000, 10_000} {
		list = append(list, strings.Repeat("x", long), strings.Repeat(".", long), strings.Repeat("x", long-1)+"y")
	}
	return list
}

// topics checks that each topic, whatever its bytes, gets its own messages and no others. It uses those
// of hostile and random ones, 600 in all, which are the same in each run.
func topics(s *suite) {
	a, b, _ := s.nodes()
	list := hostile()
	r := rand.New(rand.NewPCG(3, 4))
	// Short random topics of characters that adapters escape find pairs that become equal.
	const alphabet = "ab.*>=2Eh \x00\xff{}:"
	known := make(map[string]bool)
	for _, t := range list {
		known[t] = true
	}
	for len(list) < 600 {
		random := make([]byte, 1+r.IntN(6))
		for i := range random {
			random[i] = alphabet[r.IntN(len(alphabet))]
		}
		if !known[string(random)] {
			known[string(random)] = true
			list = append(list, string(random))
		}
	}
	boxes := make([]*subscribertest.Box, len(list))
	subs := make([]*pubsub.Subscription, len(list))
	began := time.Now()
	for i, t := range list {
		boxes[i] = &subscribertest.Box{}
		subs[i] = b.Subscribe(t, boxes[i])
	}
	for i, sub := range subs {
		s.await(sub, list[i])
	}
	s.since(began)
	for i, t := range list {
		s.broadcast(a, t, fmt.Sprint(i))
	}
	s.fence(a, b, "fence")
	for i, t := range list {
		s.arrive(fmt.Sprintf("a message to topic %.40q arrives", t), boxes[i], func() bool { return boxes[i].Count() > 0 })
	}
	// All messages have arrived, so a message to two topics would be seen by now.
	for i, t := range list {
		if got := boxes[i].Events(); len(got) != 1 || got[0] != fmt.Sprint(i) {
			s.Errorf("topic %.40q got %q, want its own message alone", t, got)
		}
	}
	h := b.Health()
	if !h.Connected || h.Garbage != 0 {
		s.Errorf("unusual topics disturbed the connection: %+v", h)
	}
	s.noGap("unusual topics do not cause a gap", h)
}
