// Package proxies has only tests: they run nginx and HAProxy, with the
// configurations that docs/proxies.md recommends, in front of the fixture application.
package proxies

import (
	"flag"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) {
	// These tests wait most of their time for limits to pass, so they need not wait
	// for a core.
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	waittest.Main(m)
}
