package bennu_test

import (
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// The tests that call t.Parallel are clients that mostly wait.
func TestMain(m *testing.M) {
	waittest.Parallel(8)
	waittest.Main(m)
}
