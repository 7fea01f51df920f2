package bennu

import (
	"context"
	"testing"
)

type loud struct{ *Channel }

func (loud) Terminate(error) {}

// TestEndsQuietly knows which ends need no goroutine: those of channels that have no Terminate
// and no middleware that may have one.
func TestEndsQuietly(t *testing.T) {
	join := func(h ChannelHandler) Instance {
		i, _, err := h.Join(t.Context(), &Channel{}, Payload{Data: emptyObject})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	plain := Define(func(_ context.Context, ch *Channel, _ Empty) (*Channel, Empty, error) { return ch, Empty{}, nil })
	terminating := Define(func(_ context.Context, ch *Channel, _ Empty) (loud, Empty, error) { return loud{ch}, Empty{}, nil })
	either := func(s any) ChannelHandler {
		return Define(func(context.Context, *Channel, Empty) (any, Empty, error) { return s, Empty{}, nil })
	}
	pass := Around(func(ctx context.Context, _ *Call, next func(context.Context) error) error { return next(ctx) })
	for _, tc := range []struct {
		name  string
		i     Instance
		quiet bool
	}{
		{"without Terminate", join(plain), true},
		{"with Terminate", join(terminating), false},
		{"an interface without", join(either(1)), true},
		{"an interface with", join(either(loud{})), false},
		{"wrapped", struct{ Instance }{join(plain)}, false},
		{"behind Around", join(pass(plain)), false},
		{"by hand", quiet{}, false},
	} {
		if got := endsQuietly(tc.i); got != tc.quiet {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
