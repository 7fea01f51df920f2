package tracker

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestOptionsDefaults(t *testing.T) {
	got, err := Options{}.resolved()
	want := Options{
		Name: "presence", Shards: 1, Logger: slog.Default(),
		BroadcastPeriod: 1500 * time.Millisecond, MaxSilentPeriods: 10, DownPeriod: 30 * time.Second,
		PermdownPeriod: 20 * time.Minute, samplePeriods: 2, History: 10_000,
		MessageBytes: 512 << 10, replicas: 1000, Entries: 1_000_000,
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	always, err := Options{MaxSilentPeriods: -1, DownPeriod: 3 * time.Second}.resolved()
	if err != nil || always.idle() != 1500*time.Millisecond {
		t.Errorf("%+v, %v", always, err)
	}
}

func TestOptionsMistakes(t *testing.T) {
	for _, c := range []struct {
		opts Options
		want string
	}{
		{Options{Name: strings.Repeat("n", 1000)}, "option Name has 1000 bytes; use 128 at most"},
		{Options{Shards: -1}, "option Shards is -1; use 1 to 256, or 0 for the default"},
		{Options{BroadcastPeriod: -1}, "option Timing.BroadcastPeriod is -1ns; use 0 for 1.5s, or a positive one"},
		{Options{DownPeriod: 10 * time.Second}, "option Timing.DownPeriod is 10s, but an idle node is heard once in 16.5s"},
		{Options{DownPeriod: 10 * time.Second}, "raise DownPeriod to 24.75s or more, or lower MaxSilentPeriods"},
		{Options{BroadcastPeriod: 20 * time.Second, MaxSilentPeriods: -1}, "raise DownPeriod to 40s"},
		{Options{MaxSilentPeriods: 1 << 40}, "option Timing.MaxSilentPeriods is"},
		{Options{PermdownPeriod: 30 * time.Second}, "use more than DownPeriod"},
		{Options{Entries: -1}, "limit NodeEntries is -1; use 1 to 1073741824, or 0"},
		{Options{History: -1}, "limit History is -1"},
		{Options{MessageBytes: 1000}, "limit MessageBytes is 1000; use 262144 to 1048576"},
		{Options{MessageBytes: 2 << 20}, "limit MessageBytes is 2097152"},
	} {
		_, err := c.opts.resolved()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q in it", c.opts, err, c.want)
		}
		if _, err := newState(replica{"a", 1}, c.opts); err == nil {
			t.Errorf("%+v: newState takes it", c.opts)
		}
	}
	for _, id := range []replica{{"", 1}, {strings.Repeat("x", maxName+1), 1}} {
		if _, err := newState(id, Options{}); err == nil {
			t.Errorf("newState takes %v", id)
		}
	}
}
