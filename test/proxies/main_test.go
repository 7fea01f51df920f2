// Package proxies has only tests: they run nginx and HAProxy, with the
// configurations that docs/proxies.md recommends, in front of the fixture application.
package proxies

import (
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) {
	waittest.Heavy(m, 32)
}
