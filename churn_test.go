package bennu_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
)

// numbered broadcasts count up on a topic, a few for each token it is given, so
// that no client falls behind for good.
type numbered struct {
	started, done atomic.Int64 // the last number whose broadcast has begun, and has returned
	tokens        chan struct{}
	stop          sync.WaitGroup
}

func broadcastNumbers(t *testing.T, s *server, topic string) *numbered {
	n := &numbered{tokens: make(chan struct{}, 64)}
	n.stop.Go(func() {
		for range n.tokens {
			for range 5 {
				i := n.started.Add(1)
				if err := s.Broadcast(topic, "n", map[string]int64{"n": i}); err != nil {
					t.Error(err)
				}
				n.done.Store(i)
			}
		}
	})
	return n
}

func (n *numbered) more() {
	select {
	case n.tokens <- struct{}{}:
	default:
	}
}

// TestChurn joins and leaves a topic again and again while another goroutine broadcasts on
// it. Between the replies to a join and its leave each broadcast is seen once and in order,
// and afterwards none.
func TestChurn(t *testing.T) { engines(t, testChurn) }

func testChurn(t *testing.T, options *bennu.EndpointOptions) {
	s := serve(t, one("*", rooms()), nil, options)
	wstest.Dial(t, s.url).Abort()
	eventually(t, "the first connection is gone", func() bool { return s.Stats().Sockets == 0 })
	before := settle()
	const connections = 4
	cycles := sized(240, 20_000) / connections
	n := broadcastNumbers(t, s, "churn")
	t.Run("clients", func(t *testing.T) {
		for i := range connections {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				c := wstest.Dial(t, s.url)
				for cycle := range cycles {
					churn(t, c, n, cycle%3)
				}
				c.Abort()
			})
		}
	})
	close(n.tokens)
	n.stop.Wait()
	t.Logf("%d broadcasts", n.done.Load())
	before.backAt(t, s)
}

// churn is one cycle. With style 1 the leave is sent together with the join, with
// style 2 the leave is a join of the same topic, left in its turn.
func churn(t *testing.T, c *wstest.Client, n *numbered, style int) {
	t.Helper()
	const topic = "churn"
	join, joinRef := c.Frame(topic, "phx_join", "{}")
	n.more()
	var leave string
	mayMiss := int64(0) // broadcasts up to this one may have been before the join
	mustSee := int64(0) // and those up to this one were over before the leave
	if style == 1 {
		f, ref := c.Frame(topic, "phx_leave", "{}")
		c.Send(join, f)
		leave = ref
	} else {
		c.Send(join)
	}
	if m := c.Message(); m.Ref != joinRef || m.Status != "ok" {
		t.Fatalf("first after the join: %v", m)
	}
	mayMiss = n.started.Load()
	last := int64(0)
	see := func(m wstest.Message) {
		var p struct{ N int64 }
		if m.Event != "n" || json.Unmarshal([]byte(m.Payload), &p) != nil {
			t.Fatalf("unexpected %v", m)
		}
		if last == 0 && p.N > mayMiss+1 || last != 0 && p.N != last+1 {
			t.Fatalf("broadcast %d after %d; %d had begun when the join was answered", p.N, last, mayMiss)
		}
		last = p.N
	}
	if leave == "" {
		n.more()
		for last < mayMiss+3 { // let some come
			n.more()
			see(c.Message())
		}
		mustSee = n.done.Load()
		leave = c.Push(topic, "phx_leave", "{}")
	}
	for {
		m := c.Message()
		if m.Ref == leave {
			if m.Event != "phx_reply" || m.Status != "ok" || m.JoinRef != joinRef {
				t.Fatalf("reply to the leave: %v", m)
			}
			break
		}
		see(m)
	}
	if last < mustSee && mustSee > mayMiss {
		t.Fatalf("left after broadcast %d, but %d had been published", last, mustSee)
	}
	c.Expect(wstest.Closed(joinRef, topic))
	if style == 2 {
		// What comes after the end of a join is the reply to the next.
		n.more()
		c.Fence()
		first := c.Push(topic, "phx_join", "{}")
		second := c.Push(topic, "phx_join", "{}")
		c.ReplyTo(second)
		leave := c.Push(topic, "phx_leave", "{}")
		c.ReplyTo(leave)
		c.Await("the end of the first", func(m wstest.Message) bool { return m.Event == "phx_close" && m.Ref == first })
		c.Await("the end of the second", func(m wstest.Message) bool { return m.Event == "phx_close" && m.Ref == second })
		for c.Pending() > 0 {
			if m := c.Message(); m.Event != "n" && m.Ref != first {
				t.Fatalf("unexpected %v", m)
			}
		}
		c.Fence()
	}
}
