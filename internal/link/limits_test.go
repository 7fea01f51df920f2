package link

import (
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

func TestLimits(t *testing.T) {
	with := func(message, bytes, messages int) *seam.Bounds {
		b := bounds
		b.Message.Value, b.QueueBytes.Value, b.QueueMessages.Value = message, bytes, messages
		return &b
	}
	const none = 1<<63 - 1
	for _, tt := range []struct {
		o     *transport.LinkOptions
		mount *seam.Bounds
		want  limits
		err   string
	}{
		{nil, &bounds, limits{1 << 20, 4 << 20, 2048, 75 * time.Second, 10 * time.Second, time.Second}, ""},
		{nil, with(2<<20, option.Unlimited, 20_000), limits{2 << 20, none, 20_000, 75 * time.Second, 10 * time.Second, time.Second}, ""},
		{
			&transport.LinkOptions{MaxMessage: option.Unlimited, IdleTimeout: option.Unlimited, WriteTimeout: option.Unlimited, MaxQueueBytes: option.Unlimited, MaxQueueMessages: option.Unlimited},
			&bounds, limits{none, none, none, 0, 0, time.Second}, "",
		},
		{&transport.LinkOptions{MaxMessage: 7, MaxQueueMessages: 8}, with(1, 2, 3), limits{7, 1031, 8, 75 * time.Second, 10 * time.Second, time.Second}, ""},
		{&transport.LinkOptions{MaxMessage: 8 << 20}, &bounds, limits{8 << 20, 8<<20 + 1024, 2048, 75 * time.Second, 10 * time.Second, time.Second}, ""},
		{&transport.LinkOptions{MaxMessage: 1 << 30}, &bounds, limits{1 << 30, 1<<30 + 1024, 2048, 75 * time.Second, 10 * time.Second, time.Second}, ""},
		{&transport.LinkOptions{MaxMessage: 1 << 10, MaxQueueBytes: 2 << 10}, &bounds, limits{1 << 10, 2 << 10, 2048, 75 * time.Second, 10 * time.Second, time.Second}, ""},
		{&transport.LinkOptions{MaxQueueBytes: 64 << 10}, &bounds, limits{63 << 10, 64 << 10, 2048, 75 * time.Second, 10 * time.Second, time.Second}, ""},
		{&transport.LinkOptions{MaxQueueBytes: 1000}, &bounds, limits{500, 1000, 2048, 75 * time.Second, 10 * time.Second, time.Second}, ""},
		{
			&transport.LinkOptions{MaxMessage: 1 << 10, MaxQueueBytes: 2<<10 - 1}, &bounds, limits{},
			"LinkOptions.MaxQueueBytes is 2047, and a client may send 1024 bytes (MaxMessage), which would not fit the queue together with topic and event; set MaxQueueBytes to 2048 or more, or MaxMessage to 1023 or less",
		},
		{
			&transport.LinkOptions{MaxMessage: option.Unlimited, MaxQueueBytes: 4 << 20}, &bounds, limits{},
			"LinkOptions.MaxMessage is Unlimited, and MaxQueueBytes is 4194304, so a message of one client may not fit the queue of another; give MaxMessage a number, or make MaxQueueBytes Unlimited too",
		},
		{
			&transport.LinkOptions{MaxQueueMessages: 1}, &bounds, limits{},
			"LinkOptions.MaxQueueMessages is 1, and a join that replaces another has two messages for its client; set it to 2 or more",
		},
		{&transport.LinkOptions{CloseLinger: -1}, &bounds, limits{}, "LinkOptions.CloseLinger is -1ns; use 0 for the default of 1s, or up to 8760h0m0s"},
		{&transport.LinkOptions{MaxMessage: -7}, &bounds, limits{}, "LinkOptions.MaxMessage is -7; use 0 for the default or Unlimited"},
	} {
		got, err := resolve(tt.o, tt.mount)
		switch {
		case err != nil && err.Error() != tt.err, err == nil && tt.err != "":
			t.Errorf("%+v: error %v, want %q", tt.o, err, tt.err)
		case err == nil && *got != tt.want:
			t.Errorf("%+v: got %+v, want %+v", tt.o, *got, tt.want)
		}
	}
}
