package demo

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind, and none is told of the machine's own nodes.
func TestMain(m *testing.M) {
	os.Unsetenv(pubsubEnv)
	os.Unsetenv(secretEnv)
	goleak.VerifyTestMain(m)
}
