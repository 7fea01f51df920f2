package client_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// kept serves an endpoint that keeps the topics room:*.
func kept(t *testing.T, topic history.Topic) (e *bennu.Endpoint, addr string) {
	t.Helper()
	ps, logger := pubsub.NewLocal(), slog.New(slog.DiscardHandler)
	topic.Pattern = "room:*"
	log, err := history.New(t.Context(), ps, &history.Options{Topics: []history.Topic{topic}, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	var users bennu.SocketHandler
	users.Channel("room:*", quietRooms())
	users.Limits = bennu.Limits{JoinRate: bennu.Unlimited, JoinBurst: bennu.Unlimited}
	e = bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log, Logger: logger})
	e.Socket("/socket", &users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)}})
	e.OnShutdown(log.Close)
	return e, servetest.Serve(t, e.Serve)
}

// quietRooms is a channel without handlers, which takes any params.
func quietRooms() bennu.ChannelHandler {
	return bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (*struct{}, bennu.Empty, error) {
		return new(struct{}), bennu.Empty{}, nil
	})
}

// numbers are what a channel has received of an endpoint that counts.
type numbers struct {
	mu   sync.Mutex
	got  []int
	told []client.Resumed
}

func (n *numbers) add(i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, i)
}

func (n *numbers) resumed(r client.Resumed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, r)
}

// count returns the numbers of messages, and of all that was told.
func (n *numbers) count() (messages, told int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.got), len(n.told)
}

// want wants all numbers once, in order, and nothing lost.
func (n *numbers) want(t *testing.T, total int) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, got := range n.got {
		if got != i {
			t.Fatalf("message %d is %d, after %v", i, got, n.got[max(0, i-5):i])
		}
	}
	if len(n.got) != total {
		t.Errorf("%d messages came, want %d", len(n.got), total)
	}
	if i := slices.IndexFunc(n.told, func(r client.Resumed) bool { return r.Status == client.ResumeLost }); i >= 0 {
		t.Errorf("told %+v", n.told[i])
	}
}

// listen registers callbacks for numbers as texts, and as bytes.
func (n *numbers) listen(ch *client.Channel) {
	ch.Resume(n.resumed)
	client.On(ch, "n", func(v struct{ N int }) { n.add(v.N) })
	client.On(ch, "b", func(b []byte) { n.add(int(binary.BigEndian.Uint32(b))) })
}

// publish broadcasts a number, every third as bytes if those are received.
func publish(t *testing.T, e *bennu.Endpoint, i int, bytes bool) {
	t.Helper()
	var err error
	if bytes && i%3 == 0 {
		err = e.Broadcast("room:1", "b", binary.BigEndian.AppendUint32(nil, uint32(i)))
	} else {
		err = e.Broadcast("room:1", "n", object{"n": i})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestResumeThroughCuts cuts connections at any byte: all messages come, once, in order. BENNU_FULL=1
// sends more; BENNU_SEED repeats a run.
func TestResumeThroughCuts(t *testing.T) {
	total := waittest.Sized(2000, 50_000)
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("BENNU_SEED"), 10, 64); err == nil {
		seed = s
	}
	for _, m := range allModes {
		t.Run(m.name, func(t *testing.T) {
			t.Logf("BENNU_SEED=%d", seed)
			e, addr := kept(t, history.Topic{Size: 100_000, Bytes: 64 << 20})
			// An answer to a poll that is cut is lost as a whole, so it must be able to pass.
			most, lag, total := 8000, 500, total
			if m.transport == "longpoll" {
				most, lag, total = 50_000, 40, min(total, 10_000)
			}
			proxy := newCutter(t, addr, seed, most)
			s := m.connect(t, "http://"+proxy.ln.Addr().String()+"/socket", &client.Options{ReconnectAfter: soon, RejoinAfter: soon})
			ch, got := s.Channel("room:1", nil), &numbers{}
			got.listen(ch)
			_, _ = ch.Join(t.Context())
			eventually(t, "a position", func() bool { _, told := got.count(); return told > 0 })
			r := rand.New(rand.NewPCG(seed, 1))
			for i := range total {
				publish(t, e, i, m == wsV2)
				if messages, _ := got.count(); i-messages > lag {
					eventually(t, "the client to follow", func() bool { messages, _ = got.count(); return i-messages < r.IntN(lag) })
				}
			}
			proxy.stop()
			eventually(t, "all messages", func() bool { messages, _ := got.count(); return messages >= total })
			got.want(t, total)
			t.Logf("%d cuts, %+v", proxy.count(), e.Stats().History)
			if proxy.count() == 0 {
				t.Error("nothing was cut")
			}
		})
	}
}

// TestResumeOfSlowCallbacks has callbacks that are slower than the messages: the channel joins again on
// the same connection, while further messages are under way.
func TestResumeOfSlowCallbacks(t *testing.T) {
	total := waittest.Sized(1000, 20_000)
	for _, m := range []mode{wsV2, wsV1, lpV2} {
		t.Run(m.name, func(t *testing.T) {
			e, addr := kept(t, history.Topic{Size: 100_000, Bytes: 64 << 20})
			slow := 0
			s := m.dial(t, "http://"+addr+"/socket", &client.Options{RejoinAfter: soon, MaxQueued: 50})
			ch, got := s.Channel("room:1", nil), &numbers{}
			got.listen(ch)
			var mu sync.Mutex
			ch.OnError(func(err error) {
				mu.Lock()
				defer mu.Unlock()
				slow++
			})
			if _, err := ch.Join(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a position", func() bool { _, told := got.count(); return told > 0 })
			for i := range total {
				publish(t, e, i, m == wsV2)
			}
			eventually(t, "all messages", func() bool { messages, _ := got.count(); return messages >= total })
			got.want(t, total)
			mu.Lock()
			defer mu.Unlock()
			t.Logf("down %d times, %+v", slow, e.Stats().History)
		})
	}
}

// TestResumeWhatIsLost is away for longer than messages are kept.
func TestResumeWhatIsLost(t *testing.T) {
	e, addr := kept(t, history.Topic{Size: 10, Rewind: 2})
	proxy := newCutter(t, addr, 1, 0)
	s := wsV2.connect(t, "http://"+proxy.ln.Addr().String()+"/socket", &client.Options{RejoinAfter: soon, ReconnectAfter: func(int) time.Duration { return time.Second / 2 }})
	ch, got := s.Channel("room:1", nil), &numbers{}
	got.listen(ch)
	if _, err := ch.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a position", func() bool { _, told := got.count(); return told == 1 })
	publish(t, e, 0, false)
	eventually(t, "a message", func() bool { messages, _ := got.count(); return messages == 1 })
	proxy.cut()
	eventually(t, "the channel to be down", func() bool { return ch.State() != client.StateJoined })
	for i := range 100 {
		publish(t, e, i+1, false)
	}
	eventually(t, "the newest messages", func() bool { messages, _ := got.count(); return messages == 3 })
	publish(t, e, 101, false)
	eventually(t, "the next message", func() bool { messages, _ := got.count(); return messages == 4 })
	got.mu.Lock()
	defer got.mu.Unlock()
	if fmt.Sprint(got.got) != "[0 99 100 101]" {
		t.Errorf("got %v", got.got)
	}
	if len(got.told) < 2 || got.told[0].Status != client.ResumeNew || got.told[1].Status != client.ResumeLost || got.told[1].Reason == "" {
		t.Errorf("told %+v", got.told)
	}
}
