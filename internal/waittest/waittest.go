// Package waittest holds what tests use to wait: they wait for an event and never for a
// time, so a deadline ends a hang and judges nothing.
package waittest

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Patience bounds every wait for what must come. It is far more than any of them takes
// on a machine that is ten times slower and has other work to do.
const Patience = 3 * time.Minute

// Until polls until ok holds. The test fails when that takes longer than Patience.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !Within(Patience, ok) {
		t.Fatalf("never happened: %s", what)
	}
}

// Within polls until ok holds, for at most d, and reports whether it does. The pauses
// grow, so that those who wait leave the machine to those who work.
func Within(d time.Duration, ok func() bool) bool {
	end := time.Now().Add(d)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 25*time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}

// Next receives from a channel, or sees it closed. The test fails when that takes longer
// than Patience.
func Next[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	select {
	case v := <-from:
		return v
	case <-late.C:
		t.Fatalf("never happened: %s", what)
	}
	panic("unreachable")
}

// A Turn is what packages with heavy tests take one after the other, whoever runs them.
type Turn string

const (
	Brokers Turn = "brokers" // for tests that start brokers
	Nodes   Turn = "nodes"   // for tests that start browsers, nodes and proxies
)

// Heavy is Main for a package with heavy tests. Those of one turn run one at a time, so that
// they do not starve each other; all others run beside them. The tests that call t.Parallel
// run so many at one time, since most of their time is waiting.
func Heavy(m *testing.M, turn Turn, parallel int) {
	// A worker of a fuzz target is started by a process that has the turn.
	if !slices.Contains(os.Args, "-test.fuzzworker") {
		if err := turn.take(); err != nil {
			fmt.Fprintln(os.Stderr, "no turn:", err)
			os.Exit(1)
		}
	}
	Parallel(parallel)
	Main(m)
}

// Parallel sets how many tests that call t.Parallel run at one time. TestMain calls it.
func Parallel(n int) {
	if err := flag.Set("test.parallel", strconv.Itoa(n)); err != nil {
		panic(err)
	}
}

// Main runs the tests of a package, for its TestMain, and fails when a goroutine is left
// behind. Those that are about to end get Patience to do so.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		var err error
		for end := time.Now().Add(Patience); time.Now().Before(end); {
			if err = goleak.Find(); err == nil {
				break
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left behind:", err)
			code = 1
		}
	}
	os.Exit(code)
}
