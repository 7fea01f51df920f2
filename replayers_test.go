package bennu_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/wire"
)

// pausing is a serializer whose broadcasts wait for a gate. It counts those that wait.
type pausing struct {
	wire.Serializer
	gate      chan struct{}
	now, most atomic.Int64
}

func (g *pausing) AppendBroadcast(dst []byte, b *wire.Broadcast) (wire.Opcode, []byte, error) {
	now := g.now.Add(1)
	defer g.now.Add(-1)
	for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
	}
	<-g.gate
	return g.Serializer.AppendBroadcast(dst, b)
}

// TestReplayers lets many clients come back at once. Half of the processors replay, and each client gets
// its turn.
func TestReplayers(t *testing.T) {
	const clients, messages = 50, 700 // more than one turn
	g := &pausing{Serializer: wire.V2(nil), gate: make(chan struct{})}
	users := one("*", rooms())
	users.Serializers = []wire.Versioned{{Requirement: "~> 2.0.0", Serializer: g}}
	s := serveKept(t, users, nil)
	start := s.say(t, "a", "begin", nil)
	for n := range messages {
		s.say(t, "a", "said", number(n+1))
	}
	var all []*wstest.Client
	for range clients {
		c := wstest.Dial(t, s.url)
		if _, resume := joinSince(c, "a", since(start)); resume.Event != "bennu:resume" {
			t.Fatal(resume)
		}
		all = append(all, c)
	}
	eventually(t, "a replay", func() bool { return g.now.Load() > 0 })
	close(g.gate)
	for i, c := range all {
		w := &hearer{statuses: map[string]int{}}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for w.statuses["live"] == 0 {
				w.hear(c.Message())
			}
			w.check(t, messages)
		})
	}
	if most, want := g.most.Load(), int64(max(1, runtime.GOMAXPROCS(0)/2)); most > want {
		t.Errorf("%d goroutines have replayed at once, want at most %d", most, want)
	}
}
