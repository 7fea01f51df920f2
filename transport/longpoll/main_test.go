package longpoll

import (
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) {
	waittest.Parallel(16) // they wait most of their time
	waittest.Main(m)
}
