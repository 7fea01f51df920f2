package transporttest

import (
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/internal/waittest"
)

// Patience is how long the suite waits for an event. It does not measure speed. After a check has
// failed, others wait a ninth of it.
const Patience = waittest.Patience

// Run tests a transport. newHarness returns a new Harness for each check. Most checks run in
// parallel.
func Run(t *testing.T, newHarness func(t testing.TB) *Harness) {
	var failed atomic.Bool
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if !c.alone {
				t.Parallel()
			}
			c.run(t, newHarness, false, &failed)
		})
	}
}

// RunInBubble is Run for transports and clients that use no network. Each check runs in a bubble of
// testing/synctest, in which waiting takes no time and durations can be checked.
func RunInBubble(t *testing.T, newHarness func(t testing.TB) *Harness) {
	var failed atomic.Bool
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, newHarness, true, &failed) })
		})
	}
}

// A check is one test of the suite.
type check struct {
	name string // the group and the check, such as "slow/bytes"
	law  string // the law that a failure breaks
	only func(s *suite) (yes bool, why string)
	// alone says that no other check may run, because it counts goroutines and descriptors of the
	// process.
	alone bool
	body  func(s *suite)
}

// checks returns all checks, in the order of a connection's life.
func checks() (all []check) {
	for _, group := range [][]check{greeting, opening, refusing, incoming, outgoing, slowness, closing, idling, panicking, draining, serving, counting, leaking, racing} {
		all = append(all, group...)
	}
	return all
}

// run runs the check, and sets failed if it fails.
func (c *check) run(t testing.TB, newHarness func(testing.TB) *Harness, bubble bool, failed *atomic.Bool) {
	t.Cleanup(func() {
		if t.Failed() {
			failed.Store(true)
		}
	})
	h := newHarness(t)
	for name := range h.Except {
		if name != errorHandler && !slices.ContainsFunc(checks(), func(c check) bool { return c.name == name }) {
			t.Fatalf("Harness.Except names the check %q, and there is none", name)
		}
	}
	if why, ok := h.Except[c.name]; ok {
		t.Skipf("not for this transport: %s", why)
	}
	s := newSuite(t, h, c, bubble)
	s.failed = failed
	if c.only != nil {
		if yes, why := c.only(s); !yes {
			t.Skipf("not for this transport: %s", why)
		}
	}
	c.body(s)
}

// errorHandler is the name of a part of a check, for Harness.Except.
const errorHandler = "refuse/ErrorHandler"

// Conditions of checks, each with the reason to skip one.

func onHTTP(s *suite) (bool, string)   { return s.HTTP, "it is no request of HTTP" }
func stalling(s *suite) (bool, string) { return s.Stalls, "clients cannot be stalled" }
func silent(s *suite) (bool, string)   { return s.Silent != nil, "Harness.Silent is nil" }
func orderly(s *suite) (bool, string)  { return s.Orderly, "the end of a client has no reason" }
func ofLinks(s *suite) (bool, string) {
	return s.watch != nil, "it is one of bennu's own, and has no Link"
}

// sized returns n, or ten times n with BENNU_FULL=1.
func sized(n int) int {
	if os.Getenv("BENNU_FULL") == "1" {
		return 10 * n
	}
	return n
}
