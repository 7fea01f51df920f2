// Package faults has only tests: they put a real server under the faults that
// clients on the open internet bring, slow and huge handshakes, abused long polls,
// abandoned sessions, guessed tokens, foreign origins, and look for secrets in what
// the server writes. Each has a size for every day and, with BENNU_FULL=1, a full one
// whose figures must also be good.
package faults

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// No test may leave a goroutine behind. The same program is also the server that
// TestSecrets runs in a process of its own, and the clients of TestFlood.
func TestMain(m *testing.M) {
	if form := os.Getenv(secretServerEnv); form != "" {
		os.Exit(runSecretServer(form))
	}
	if of := os.Getenv(idleEnv); of != "" {
		os.Exit(runIdleClients(of))
	}
	if of := os.Getenv(bystandersEnv); of != "" {
		os.Exit(runBystanders(of))
	}
	if of := os.Getenv(floodEnv); of != "" {
		os.Exit(runFlood(of))
	}
	waittest.Heavy(m, waittest.Nodes, 4)
}

var eventually = waittest.Until

// percentile is that of a list, which it sorts; 0 of none.
func percentile(list []time.Duration, p float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(len(list)-1, int(p/100*float64(len(list))))]
}
