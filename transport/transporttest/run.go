package transporttest

import (
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/internal/waittest"
)

// Patience is how long the suite waits for an event. It is no measure of speed.
const Patience = waittest.Patience

// Run tests a transport. The function makes a new Harness for each check. Most checks run in
// parallel.
func Run(t *testing.T, newHarness func(t testing.TB) *Harness) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if !c.alone {
				t.Parallel()
			}
			c.run(t, newHarness, false)
		})
	}
}

// RunInBubble is Run for transports and clients that use no network: each check has a bubble of
// testing/synctest, in which waiting takes no time and time can be asserted.
func RunInBubble(t *testing.T, newHarness func(t testing.TB) *Harness) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, newHarness, true) })
		})
	}
}

// A check is one test of the suite.
type check struct {
	name string // of the group and the check
	law  string // a failure breaks it
	only func(s *suite) (yes bool, why string)
	// alone: it counts goroutines and descriptors of the whole process.
	alone bool
	body  func(s *suite)
}

// checks are all checks, in the order of a connection's life.
func checks() (all []check) {
	for _, group := range [][]check{opening, refusing, incoming, outgoing, slowness, closing, idling, panicking, draining, serving, counting, leaking, racing} {
		all = append(all, group...)
	}
	return all
}

// run runs the check.
func (c *check) run(t testing.TB, newHarness func(testing.TB) *Harness, bubble bool) {
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
	if c.only != nil {
		if yes, why := c.only(s); !yes {
			t.Skipf("not for this transport: %s", why)
		}
	}
	c.body(s)
}

// errorHandler is a part of a check that a transport may be excepted from.
const errorHandler = "refuse/ErrorHandler"

// Conditions of checks.

func onHTTP(s *suite) (bool, string)   { return s.HTTP, "it is no request of HTTP" }
func stalling(s *suite) (bool, string) { return s.Stalls, "clients cannot be stalled" }
func orderly(s *suite) (bool, string)  { return s.Orderly, "the end of a client has no reason" }
func ofLinks(s *suite) (bool, string) {
	return s.watch != nil, "it is one of bennu's own, and has no Link"
}

// sized is a number that BENNU_FULL makes ten times larger.
func sized(n int) int {
	if os.Getenv("BENNU_FULL") == "1" {
		return 10 * n
	}
	return n
}
