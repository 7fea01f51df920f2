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

const patience = waittest.Patience

// No test may leave a goroutine behind. The same program is also each node and each
// NATS server.
func TestMain(m *testing.M) {
	switch role := os.Getenv(roleEnv); role {
	case "":
		// At full size times are asserted, and each test has the machine for itself.
		waittest.Heavy(m, waittest.Nodes, waittest.Sized(6, 1))
	case roleNode:
		os.Exit(play(runNode))
	case roleKeeper:
		os.Exit(play(runKeeper))
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
