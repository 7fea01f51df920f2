package pubsubtest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

func TestMain(m *testing.M) { waittest.Main(m) }

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) *Cluster {
		m := &Memory{}
		return &Cluster{
			Node:    m.Node,
			Break:   func(testing.TB) func() { return m.Break() },
			Garbage: func(_ testing.TB, topic string, data []byte) { m.Garbage(topic, data) },
		}
	})
}

// gapping is an adapter that tells of a gap after it was asked for interest in a topic.
type gapping struct {
	pubsub.Adapter
	receiver pubsub.Receiver
	told     int64
	late     time.Duration // it confirms so late
}

func (g *gapping) Start(ctx context.Context, r pubsub.Receiver) error {
	g.receiver = r
	return g.Adapter.Start(ctx, r)
}

func (g *gapping) Interest(topic string) <-chan struct{} {
	ready := g.Adapter.Interest(topic)
	if g.late < 0 || topic != "fence" {
		return ready
	}
	confirmed := make(chan struct{})
	go func() {
		defer close(confirmed)
		<-ready
		time.Sleep(g.late)
		atomic.AddInt64(&g.told, 1)
		g.receiver.Gap(pubsub.Gap{Topic: topic})
	}()
	return confirmed
}

func (g *gapping) Health() pubsub.Health {
	h := g.Adapter.Health()
	h.Gaps += atomic.LoadInt64(&g.told)
	return h
}

// runGapping tests an adapter that tells of a gap in the first clusters.
func runGapping(t *testing.T, late time.Duration, clusters int) (made int) {
	topics := test{"Topics", topics}
	topics.run(t, func(*testing.T) *Cluster {
		made++
		m := &Memory{}
		return &Cluster{Node: func(t testing.TB, name string) pubsub.Adapter {
			g := &gapping{Adapter: m.Node(t, name), late: late}
			if made > clusters {
				g.late = -1
			}
			return g
		}}
	})
	return made
}

// TestLateGap has an adapter that tells of a gap since it had to wait: the test runs again, and
// once more if the machine is so slow that another node has told of a gap.
func TestLateGap(t *testing.T) {
	if made := runGapping(t, lateTime+time.Millisecond, 1); made < 2 {
		t.Errorf("the test has run %d times, want twice", made)
	}
}

// TestGapWithoutReason has an adapter that tells of gaps and has not waited: it fails, in a
// process of its own.
func TestGapWithoutReason(t *testing.T) {
	const within = "BENNU_TEST_GAPS"
	if os.Getenv(within) != "" {
		for !t.Failed() { // on a slow machine there may be a reason
			runGapping(t, 0, attempts)
		}
		return
	}
	own := exec.Command(os.Args[0], "-test.run=^TestGapWithoutReason$")
	own.Env = append(os.Environ(), within+"=1")
	out, err := own.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no reason for a gap") {
		t.Errorf("an adapter that tells of a gap without a reason passes: %v\n%s", err, out)
	}
}
