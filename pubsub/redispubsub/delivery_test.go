package redispubsub

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

func TestDelivery(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, _ []*redistest.Server) {
		a, b, c := start(t, "a", o), start(t, "b", o), start(t, "c", o)
		for _, topic := range append(spread, "", "a b\r\n*{x}[?\x00\xff", strings.Repeat("long", 1000)) {
			atB, atC := subscribe(t, b, topic), subscribe(t, c, topic)
			publish(t, a, topic, "1")
			publish(t, a, topic, "2")
			if err := a.DirectBroadcast("c", &pubsub.Message{Topic: topic, Event: "direct"}); err != nil {
				t.Error(err)
			}
			atB.Want(t, "what came", "1", "2")
			waittest.Until(t, "c has three", func() bool { return len(atC.Events()) == 3 })
			// A direct message has another channel, so only the order of the others is known.
			got := slices.DeleteFunc(atC.Events(), func(e string) bool { return e == "direct" })
			if !slices.Equal(got, []string{"1", "2"}) {
				t.Errorf("c got %q", atC.Events())
			}
		}
		waittest.Until(t, "nodes know each other", func() bool { return slices.Equal(a.Health().Peers, []string{"b", "c"}) })
		if h := a.Health(); !h.Connected || h.Err != nil || h.Lost+h.Gaps+h.Garbage+h.Conflicts != 0 {
			t.Errorf("health: %+v", h)
		}
	})
}

// counter is a subscriber that checks the order of numbers of each publisher.
type counter struct {
	mu    sync.Mutex
	last  map[string]int
	n     atomic.Int64
	wrong atomic.Pointer[string]
}

func (c *counter) Deliver(d *pubsub.Dispatch) {
	var number int
	if _, err := fmt.Sscan(string(d.Payload), &number); err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.last[d.Event]; number != last+1 {
		text := fmt.Sprintf("%s: %d after %d", d.Event, number, last)
		c.wrong.CompareAndSwap(nil, &text)
	}
	c.last[d.Event] = number
	c.n.Add(1)
}

// Messages of several publishers arrive in order in all topics, and none is missing.
func TestOrder(t *testing.T) {
	t.Parallel()
	const publishers, each, topics = 4, 1_200, 12
	forEach(t, func(t *testing.T, o Options, _ []*redistest.Server) {
		o.Buffer = 256 << 20
		to := start(t, "to", o)
		var all [topics]*counter
		for i := range all {
			all[i] = &counter{last: map[string]int{}}
			s := to.Subscribe(spread[i], all[i])
			defer s.Cancel()
			await(t, s)
		}
		var sending sync.WaitGroup
		for n := range publishers {
			from := start(t, fmt.Sprint("from", n%2, "-", n), o)
			sending.Go(func() {
				for i := range each {
					m := &pubsub.Message{Topic: spread[i%topics], Event: from.Node(), Payload: fmt.Append(nil, i/topics+1)}
					if err := from.Broadcast(m); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		sending.Wait()
		waittest.Until(t, "all have come", func() bool {
			var n int64
			for _, c := range all {
				n += c.n.Load()
			}
			return n == publishers*each
		})
		for _, c := range all {
			if text := c.wrong.Load(); text != nil {
				t.Error(*text)
			}
		}
	})
}

// A node without topics gets no messages: its connection has only the channels of the node
// itself, and the server counts no receiver.
func TestInterest(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, servers []*redistest.Server) {
		a, b := start(t, "a", o), start(t, "b", o)
		want := channels(t, servers)
		got := subscribe(t, b, "wanted")
		if now := channels(t, servers); len(now) != len(want)+1 {
			t.Errorf("one topic made %d channels", len(now)-len(want))
		}
		before := b.Health().Received
		for i := range 100 {
			publish(t, a, fmt.Sprint("unwanted", i), "x")
		}
		publish(t, a, "wanted", "1")
		got.Want(t, "what came", "1")
		if n := b.Health().Received - before; n != 1 {
			t.Errorf("b received %d messages, want 1", n)
		}
	})
}

// channels returns the channels that have a subscriber, on all servers.
func channels(t *testing.T, servers []*redistest.Server) (all []string) {
	t.Helper()
	for _, s := range servers {
		all = append(all, s.Lines(t, "PUBSUB", "CHANNELS", "*")...)
		all = append(all, s.Lines(t, "PUBSUB", "SHARDCHANNELS", "*")...)
	}
	all = slices.DeleteFunc(all, func(c string) bool { return strings.Contains(c, "sentinel") })
	slices.Sort(all)
	return all
}

// After any number of joins and leaves the server has exactly the wanted channels, also if it was
// down meanwhile.
func TestChurn(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, servers []*redistest.Server) {
		p := start(t, "a", o)
		base := channels(t, servers)
		type holding struct {
			topic string
			*pubsub.Subscription
		}
		var held []holding
		for i := range 3000 {
			if len(held) > 0 && rand.IntN(2) == 0 {
				k := rand.IntN(len(held))
				held[k].Cancel()
				held = slices.Delete(held, k, k+1)
			} else {
				topic := fmt.Sprint("churn", rand.IntN(300))
				held = append(held, holding{topic, p.Subscribe(topic, &subscribertest.Box{})})
			}
			if i%1000 == 500 {
				for _, s := range servers {
					s.Do(t, "CLIENT", "KILL", "TYPE", "pubsub")
				}
			}
		}
		exact := func() bool {
			topics := map[string]bool{}
			for _, s := range held {
				topics[s.topic] = true
			}
			want := slices.Clone(base)
			for topic := range topics {
				want = append(want, "bennu.t."+topic)
			}
			slices.Sort(want)
			return slices.Equal(channels(t, servers), want)
		}
		waittest.Until(t, "the channels are those that are wanted", exact)
		for _, s := range held {
			s.Cancel()
		}
		held = nil
		waittest.Until(t, "no channel is left", exact)
	})
}

// Data of others on the channels of nodes is counted and dropped, whatever its size.
func TestGarbage(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, servers []*redistest.Server) {
		a, b := start(t, "a", o), start(t, "b", o)
		got := subscribe(t, b, "t")
		command := "PUBLISH"
		if o.Cluster {
			command = "SPUBLISH"
		}
		n := int64(0)
		for _, junk := range []string{"", "x", "bn", "bn\x01\x01", "*3\r\n$7\r\nmessage\r\n"} {
			for _, channel := range []string{"bennu.t.t", "bennu.c", "bennu.n.b"} {
				servers[0].Do(t, command, channel, junk)
				n++
			}
		}
		waittest.Until(t, "all of it is counted", func() bool { return b.Health().Garbage >= n })
		publish(t, a, "t", "good")
		got.Want(t, "what came", "good")
		if h := b.Health(); h.Gaps != 0 || !h.Connected {
			t.Errorf("health: %+v", h)
		}
	})
}

// A message much larger than those of nodes is not read into memory, and no connection is closed
// because of it.
func TestOversize(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--client-output-buffer-limit", "pubsub", "0", "0", "0")
	o := Options{Addrs: []string{s.Addr}, Probe: redistest.Patience} // it takes the server a while
	a, b := start(t, "a", o), start(t, "b", o)
	got := subscribe(t, b, "t")
	s.Do(t, "EVAL", "return redis.call('PUBLISH', KEYS[1], string.rep('x', 16*1024*1024))", "1", "bennu.t.t")
	waittest.Until(t, "it is counted", func() bool { return b.Health().Garbage == 1 })
	publish(t, a, "t", "good")
	got.Want(t, "what came", "good")
	if err := a.Broadcast(&pubsub.Message{Topic: "t", Event: "big", Payload: make([]byte, 9<<20)}); !errors.Is(err, pubsub.ErrTooLarge) {
		t.Errorf("9 MiB: %v, want ErrTooLarge", err)
	}
	if h := b.Health(); h.Gaps != 0 {
		t.Errorf("health: %+v", h)
	}
}

// The adapter stores nothing, so FLUSHALL has no effect.
func TestFlush(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, servers []*redistest.Server) {
		a, b := start(t, "a", o), start(t, "b", o)
		got := subscribe(t, b, "t")
		for _, s := range servers {
			if n := s.Do(t, "DBSIZE"); n != "0" {
				t.Errorf("%s keys", n)
			}
			s.Do(t, "FLUSHALL")
		}
		publish(t, a, "t", "1")
		got.Want(t, "what came", "1")
		if h := b.Health(); h.Gaps != 0 {
			t.Errorf("health: %+v", h)
		}
	})
}

func TestNamesake(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, _ []*redistest.Server) {
		a, b := start(t, "a", o), start(t, "b", o)
		if _, err := tryStart(t, "a", o); err == nil || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("a second node of one name: %v", err)
		}
		got := subscribe(t, b, "t")
		publish(t, a, "t", "1")
		got.Want(t, "what came", "1")
	})
}
