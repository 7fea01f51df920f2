package tracker

import (
	"strings"
	"testing"
	"time"
)

func TestConfigDefaults(t *testing.T) {
	got, err := Config{}.Resolved()
	want := Config{
		BroadcastPeriod: 1500 * time.Millisecond, MaxSilentPeriods: 10, DownPeriod: 30 * time.Second,
		PermdownPeriod: 20 * time.Minute, SamplePeriods: 2, History: 10_000,
		MessageSize: 512 << 10, Replicas: 1000, Entries: 1_000_000,
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	fast, err := Fast().Resolved()
	if err != nil || fast.DownPeriod != 3*time.Second || fast.idle() != 900*time.Millisecond {
		t.Errorf("%+v, %v", fast, err)
	}
	always, err := Config{MaxSilentPeriods: -1, DownPeriod: 3 * time.Second}.Resolved()
	if err != nil || always.idle() != 1500*time.Millisecond {
		t.Errorf("%+v, %v", always, err)
	}
}

func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{BroadcastPeriod: -1}, "BroadcastPeriod is -1ns: give a positive one"},
		{Config{DownPeriod: 10 * time.Second}, "DownPeriod is 10s, but an idle replica beats once in 16.5s"},
		{Config{DownPeriod: 10 * time.Second}, "raise DownPeriod to 24.75s or more, or lower MaxSilentPeriods"},
		{Config{BroadcastPeriod: 20 * time.Second, MaxSilentPeriods: -1}, "raise DownPeriod to 40s"},
		{Config{MaxSilentPeriods: 1 << 40}, "MaxSilentPeriods is"},
		{Config{PermdownPeriod: 30 * time.Second}, "make it longer than DownPeriod"},
		{Config{SamplePeriods: -1}, "SamplePeriods is -1: give one from 1 to 1000"},
		{Config{History: -1}, "History is -1"},
		{Config{MessageSize: 1000}, "MessageSize is 1000: give one from 262144 to 1048576"},
		{Config{MessageSize: 2 << 20}, "MessageSize is 2097152"},
		{Config{Replicas: 1001}, "Replicas is 1001"},
		{Config{Entries: -1}, "Entries is -1"},
	} {
		_, err := c.cfg.Resolved()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q in it", c.cfg, err, c.want)
		}
		if _, err := NewState(Replica{"a", 1}, c.cfg); err == nil {
			t.Errorf("%+v: NewState takes it", c.cfg)
		}
	}
	for _, id := range []Replica{{"", 1}, {strings.Repeat("x", MaxName+1), 1}, {"a", 0}} {
		if _, err := NewState(id, Config{}); err == nil {
			t.Errorf("NewState takes %v", id)
		}
	}
}
