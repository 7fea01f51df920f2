package bennu_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport/longpoll"
)

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestHeapOfClientsThatDoNotRead publishes much more than is kept while clients read nothing, live or by
// a replay. What they hold in memory is bounded by their queues, and entries that the topic has dropped
// are free.
func TestHeapOfClientsThatDoNotRead(t *testing.T) {
	clients, messages := sized(100, 1000), sized(2000, 10_000)
	// Over long polling no buffers of the system take frames for a client that does not poll.
	mount := &bennu.SocketOptions{Transports: over(nil, &longpoll.Options{MaxSessionsPerAddress: bennu.Unlimited, MaxBufferBytes: 128 << 10, Window: 5 * time.Minute})}
	s := serveKept(t, one("*", rooms()), mount, history.Topic{Pattern: "*", Size: 100, Bytes: 1 << 20})
	start := s.say(t, "a", "begin", nil)
	text := strings.Repeat("x", 8<<10)
	s.say(t, "a", "said", bennu.Raw(`{"text":"`+text+`"}`))
	for i := range clients {
		c := wstest.DialLongPoll(t, s.polls())
		at := start // every other begins with a replay
		if i%2 == 0 {
			at = ""
		}
		c.Push("a", "phx_join", since(at))
	}
	eventually(t, "the joins", func() bool { return s.PubSub().Subscribers("a") == clients })
	before := heap()
	most := int64(0)
	for i := range messages {
		s.say(t, "a", "said", bennu.Raw(`{"text":"`+text+`"}`))
		if i%(messages/4) == messages/4-1 {
			most = max(most, heap()-before)
		}
	}
	// The queues share frames, so that they hold about one of them; the topic keeps 1 MiB, and the cache and
	// the store as much each. Without sharing there would be 128 KiB for each client.
	if bound := int64(clients)*16<<10 + 8<<20; most > bound {
		t.Errorf("the heap has grown by %d KiB, want at most %d", most>>10, bound>>10)
	}
	if n := s.Stats().History.Behind; n == 0 {
		t.Error("no client is behind")
	}
	t.Logf("%d clients: %d KiB, %d behind", clients, most>>10, s.Stats().History.Behind)
}
