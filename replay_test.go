package bennu_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"

	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/internal/wstest"

	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// number is the payload of the n-th message.
func number(n int) bennu.Raw { return bennu.Raw(`{"n":` + strconv.Itoa(n) + `}`) }

// hearer is a client as the documentation says how to write one: it keeps the ref of the last
// message that has a colon, and joins with it. It checks that it gets each message once, in order.
type hearer struct {
	since    string // JSON
	got      []int
	statuses map[string]int
}

// hear handles a message.
func (w *hearer) hear(m wstest.Message) {
	if strings.Contains(m.Ref, ":") {
		w.since = m.Ref
	}
	switch m.Event {
	case "said":
		var p struct{ N int }
		_ = json.Unmarshal([]byte(m.Payload), &p)
		w.got = append(w.got, p.N)
	case "bennu:resume":
		var p struct{ Status string }
		_ = json.Unmarshal([]byte(m.Payload), &p)
		w.statuses[p.Status]++
	}
}

// check wants the numbers from 1 to n, each once and in order.
func (w *hearer) check(t *testing.T, n int) {
	t.Helper()
	for i, got := range w.got {
		if got != i+1 {
			t.Fatalf("message %d is %d; around it %v", i+1, got, w.got[max(0, i-5):min(len(w.got), i+5)])
		}
	}
	if len(w.got) != n {
		t.Fatalf("%d messages, want %d", len(w.got), n)
	}
	if w.statuses["lost"] > 0 {
		t.Fatalf("statuses %v", w.statuses)
	}
}

// TestReplayWithCuts publishes from several goroutines while clients are cut at any moment. The order
// is that of the store, so the messages are numbered by their publishers under a lock.
func TestReplayWithCuts(t *testing.T) {
	t.Run("websocket", func(t *testing.T) {
		testCuts(t, func(t *testing.T, s *server) *wstest.Client { return wstest.Dial(t, s.url) })
	})
	t.Run("longpoll", func(t *testing.T) {
		testCuts(t, func(t *testing.T, s *server) *wstest.Client { return wstest.DialLongPoll(t, s.polls()) })
	})
}

func testCuts(t *testing.T, dial func(t *testing.T, s *server) *wstest.Client) {
	const clients = 8
	messages := sized(1500, 20_000)
	s := serveKept(t, one("*", rooms()), &bennu.SocketOptions{Transports: over(nil, &longpoll.Options{MaxSessionsPerAddress: bennu.Unlimited})}, history.Topic{Pattern: "*", Size: 100_000, Bytes: 64 << 20})
	start := s.say(t, "a", "begin", nil)
	var published sync.WaitGroup
	var turn sync.Mutex
	next := 0
	for range 4 {
		published.Go(func() {
			for {
				turn.Lock()
				next++
				n := next
				if n <= messages {
					if err := s.Broadcast("a", "said", number(n)); err != nil {
						t.Error(err)
					}
				}
				turn.Unlock()
				if n >= messages {
					return
				}
				time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
			}
		})
	}
	hearers := make([]*hearer, clients)
	t.Run("clients", func(t *testing.T) {
		for i := range hearers {
			w := &hearer{since: `"` + start + `"`, statuses: map[string]int{}}
			hearers[i] = w
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				for len(w.got) < messages {
					c := dial(t, s.server)
					c.Push("a", "phx_join", `{"since":`+w.since+`}`)
					for range rand.IntN(400) + 3 {
						if len(w.got) == messages {
							break
						}
						w.hear(c.Message())
					}
					c.Abort()
				}
				w.check(t, messages)
			})
		}
	})
	published.Wait()
	if st := s.Stats().History; st.Lost["unknown"] > 0 || st.Replayed == 0 {
		t.Errorf("counters %+v", st)
	}
}

// TestReplayOfManyTopics is a connection that has missed 1,000 messages of each of 100 topics and
// reads slowly: it gets all of them, within the bounds of its queue.
func TestReplayOfManyTopics(t *testing.T) {
	topics, messages := 100, sized(100, 1000)
	users := one("*", rooms())
	users.Limits.ReplayRate = bennu.Unlimited
	s := serveKept(t, users, nil, history.Topic{Pattern: "*", Size: 2000})
	starts := make([]string, topics)
	for i := range topics {
		topic := fmt.Sprint("t", i)
		starts[i] = s.say(t, topic, "begin", nil)
		for n := range messages {
			if err := s.Broadcast(topic, "said", bennu.Raw(fmt.Sprintf(`{"n":%d,"text":"%s"}`, n+1, strings.Repeat("x", 100)))); err != nil {
				t.Fatal(err)
			}
		}
	}
	hearers := map[string]*hearer{}
	for i := range topics {
		hearers[fmt.Sprint("t", i)] = &hearer{got: make([]int, 0, messages), statuses: map[string]int{}}
	}
	before := heaptest.Live()
	c := wstest.Dial(t, s.url)
	if tcp, ok := c.Conn().(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(16 << 10)
	}
	for i, start := range starts {
		c.Push(fmt.Sprint("t", i), "phx_join", since(start))
	}
	joined, most := 0, 0
	for total, live := 0, 0; live < topics; total++ {
		m := c.Message()
		if m.Event == "phx_reply" {
			if m.Status != "ok" {
				t.Fatalf("join: %v", m)
			}
			joined++
			continue
		}
		w := hearers[m.Topic]
		w.hear(m)
		live = 0
		if total%200 == 0 || w.statuses["live"] > 0 {
			for _, w := range hearers {
				live += min(1, w.statuses["live"])
			}
		}
		if total%5000 == 0 {
			most = max(most, heaptest.Live()-before)
			time.Sleep(time.Millisecond) // the client is slow; nothing waits for this
		}
	}
	for _, w := range hearers {
		w.check(t, messages)
	}
	if joined != topics {
		t.Errorf("%d joins", joined)
	}
	if most > 16<<20 {
		t.Errorf("the heap has grown by %d KiB", most>>10)
	}
	t.Logf("heap above the base at most %d KiB", most>>10)
}

// TestSlowClientFallsBehind is a live client that stops reading, and then gets all in order.
func TestSlowClientFallsBehind(t *testing.T) {
	mount := &bennu.SocketOptions{Transports: over(&websocket.Options{MaxQueueMessages: 64, WriteTimeout: time.Minute}, nil)}
	users := one("*", rooms())
	users.Limits.Topics = 10
	s := serveKept(t, users, mount, history.Topic{Pattern: "*", Size: 10_000, Bytes: 64 << 20})
	c := wstest.Dial(t, s.url)
	if tcp, ok := c.Conn().(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(128 << 10)
	}
	w := &hearer{statuses: map[string]int{}}
	_, resume := joinSince(c, "a", since(""))
	w.hear(resume)
	n := 0
	long := strings.Repeat("x", 32<<10)
	for ; s.Stats().History.Behind == 0; n++ {
		if n == 5000 {
			t.Fatal("the channel never falls behind")
		}
		s.say(t, "a", "said", bennu.Raw(fmt.Sprintf(`{"n":%d,"text":"%s"}`, n+1, long)))
	}
	for range 200 {
		n++
		s.say(t, "a", "said", bennu.Raw(fmt.Sprintf(`{"n":%d,"text":"%s"}`, n, long)))
	}
	for len(w.got) < n {
		w.hear(c.Message())
	}
	w.check(t, n)
	eventually(t, "the channel to be live", func() bool { st := s.Stats().History; return st.Behind == 0 && st.Replays > 0 })
	s.say(t, "a", "said", number(n+1))
	for len(w.got) <= n {
		w.hear(c.Message())
	}
	w.check(t, n+1)
}

// TestReplayRate bounds a replay.
func TestReplayRate(t *testing.T) {
	users := one("*", rooms())
	users.Limits.ReplayRate = 100
	s := serveKept(t, users, nil)
	start := s.say(t, "a", "begin", nil)
	for n := range 130 {
		s.say(t, "a", "said", number(n+1))
	}
	w := &hearer{statuses: map[string]int{}}
	c := wstest.Dial(t, s.url)
	began := time.Now()
	c.Push("a", "phx_join", since(start))
	for w.statuses["live"] == 0 {
		w.hear(c.Message())
	}
	w.check(t, 130)
	if took := time.Since(began); took < 250*time.Millisecond {
		t.Errorf("130 messages at 100 a second, of which 100 come at once, took %v", took)
	}
}

// TestTooLargeForClient is an entry that does not fit the queue of a client: it is told so.
func TestTooLargeForClient(t *testing.T) {
	mount := &bennu.SocketOptions{Transports: over(&websocket.Options{MaxQueueBytes: 64 << 10, MaxMessage: 1 << 10}, nil)}
	s := serveKept(t, one("*", rooms()), mount)
	c := wstest.Dial(t, s.url)
	joinSince(c, "a", since(""))
	// Broadcast would refuse what does not fit at all.
	o := s.say(t, "a", "said", bennu.Raw(`{"text":"`+strings.Repeat("x", 60<<10)+`"}`))
	c.Expect(lostMessage("null", o, "a", "too_large"))
	o = s.say(t, "a", "said", number(1))
	c.Await("the next message", func(m wstest.Message) bool { return m.Ref == `"`+o+`"` && m.Event == "said" })
}
