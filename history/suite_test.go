package history_test

import (
	"testing"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/history/historytest"
)

func TestMemory(t *testing.T) {
	historytest.Run(t, func(testing.TB) *historytest.Harness {
		store := history.NewMemory(1 << 30)
		return &historytest.Harness{
			Open:       func(testing.TB) history.Store { return store },
			KeysPass:   func(testing.TB) { history.ForgetKeys(store) },
			MaxPayload: 8 << 20,
		}
	})
}
