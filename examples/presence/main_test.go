package main

import (
	"context"
	"errors"
	"testing"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/bennu-go/bennu/internal/wstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConnectWithoutUser(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), wstest.Patience)
	defer cancel()
	_, _, _, err := ws.Dial(ctx, serve(t))
	if status := ws.StatusError(0); !errors.As(err, &status) || status != 403 {
		t.Errorf("a connection without a user: %v, want status 403", err)
	}
}
