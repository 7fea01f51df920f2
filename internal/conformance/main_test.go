package conformance

import (
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) {
	waittest.Parallel(16) // the cases wait most of their time
	waittest.Main(m)
}
