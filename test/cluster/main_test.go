// Package cluster has only tests: they run whole nodes, each a process of its own with
// an endpoint, WebSocket and long-poll clients, and brokers that are processes too, and
// then kill, stop, cut off and flood them. Each has a size for every day and, with
// BENNU_FULL=1, a full one whose figures must also be good.
package cluster

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// full says that tests run at their full size. Only then are times asserted: it is run
// by hand, on a machine that does nothing else.
var full = os.Getenv("BENNU_FULL") == "1"

// sized is the size of a test that has a small one for every day.
func sized[T any](small, large T) T {
	if full {
		return large
	}
	return small
}

const patience = waittest.Patience

// No test may leave a goroutine behind. The same program is also each node and each
// NATS server.
func TestMain(m *testing.M) {
	switch role := os.Getenv(roleEnv); role {
	case "":
		// At full size times are asserted, and each test has the machine for itself.
		waittest.Heavy(m, waittest.Nodes, sized(6, 1))
	case roleNode:
		os.Exit(play(runNode))
	case roleNATS:
		os.Exit(play(runNATS))
	default:
		fmt.Fprintf(os.Stderr, "%s is %q\n", roleEnv, role)
		os.Exit(2)
	}
}

var eventually = waittest.Until

var within = waittest.Within

// lasts waits for as long as a fault lasts.
func lasts(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// atMost asserts a figure at full size, and logs it at any.
func atMost(t testing.TB, what string, got, most time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, got.Round(time.Millisecond/10))
	if full && got > most {
		t.Errorf("%s: %v, want at most %v", what, got, most)
	}
}
