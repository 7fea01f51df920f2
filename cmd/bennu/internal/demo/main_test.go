package demo

import (
	"os"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// No test may leave a goroutine behind. The environment of the machine must not name nodes.
func TestMain(m *testing.M) {
	os.Unsetenv(pubsubEnv)
	os.Unsetenv(secretEnv)
	waittest.Heavy(m, waittest.Brokers, 4)
}
