// Package proxies has only tests: they run nginx, HAProxy, Caddy and
// Traefik, with the configurations that docs/proxies.md recommends, in front of the
// fixture application.
package proxies

import (
	"os"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		runServer()
		return
	}
	waittest.Heavy(m, waittest.Nodes, 32)
}
