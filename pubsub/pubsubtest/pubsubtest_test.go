package pubsubtest

import (
	"context"
	"errors"
	"math"
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

// gapping is an adapter that reports a gap after Interest was called.
type gapping struct {
	pubsub.Adapter
	receiver pubsub.Receiver
	told     int64
	late     time.Duration // time after which it confirms
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

// gaps makes clusters of an adapter that reports a gap, but only in the first clusters.
type gaps struct {
	late  time.Duration
	first int
	made  int
}

func (g *gaps) cluster(*testing.T) *Cluster {
	g.made++
	late := g.late
	if g.made > g.first {
		late = -1
	}
	m := &Memory{}
	return &Cluster{Node: func(t testing.TB, name string) pubsub.Adapter {
		return &gapping{Adapter: m.Node(t, name), late: late}
	}}
}

var topicsTest = test{"Topics", topics}

// TestLateGap has an adapter that reports a gap because it had to wait: the test runs again, and once
// more if the machine is so slow that another node has reported a gap.
func TestLateGap(t *testing.T) {
	g := gaps{late: lateTime + time.Millisecond, first: 1}
	if topicsTest.run(t, g.cluster); g.made < 2 {
		t.Errorf("the test has run %d times, want twice", g.made)
	}
}

// TestGapWithoutReason has an adapter that reports gaps and has not waited: the test fails.
func TestGapWithoutReason(t *testing.T) {
	fails(t, "do not cause a gap", func() {
		g := gaps{first: math.MaxInt}
		for !t.Failed() { // on a slow machine there may be a reason
			topicsTest.try(t, g.cluster)
		}
	})
}

// TestAlwaysDoubtful has an adapter that reports a gap in each run because it had to wait: the result
// is not certain, so the test does not pass.
func TestAlwaysDoubtful(t *testing.T) {
	fails(t, "runs a node reported a gap", func() {
		g := gaps{late: lateTime + time.Millisecond, first: math.MaxInt}
		topicsTest.run(t, g.cluster)
	})
}

// fails expects that a part of the calling test fails with a text. It runs that part in another
// process.
func fails(t *testing.T, says string, play func()) {
	t.Helper()
	const within = "BENNU_TEST_FAILS"
	if os.Getenv(within) != "" {
		play()
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	own := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
	own.Env = append(os.Environ(), within+"=1")
	out, err := own.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); !exited || !strings.Contains(string(out), says) {
		t.Errorf("%v, and it does not say %q:\n%s", err, says, out)
	}
}
