package clients

import (
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) {
	waittest.Heavy(m, waittest.Nodes, waittest.Sized(4, 16)) // at full size all cut for as long
}
