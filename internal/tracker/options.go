package tracker

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/option"
)

// Bounds that are the same on every node of a cluster. All but maxReplicas and maxShards are lengths in
// bytes.
const (
	maxName     = 128
	maxTopic    = 1 << 10
	maxKey      = 1 << 10
	MaxMeta     = 64 << 10
	maxMessage  = 1 << 20 // encoded; decode refuses more
	maxReplicas = 1000    // other replicas that one knows
	maxShards   = 256
)

// Options configure Start. The zero value of each field means its default. Errors name the
// fields as presence.Options does.
type Options struct {
	// Name distinguishes the trackers of one cluster. Default "presence".
	Name string
	// Shards is the number of states over which topics are spread, each with its own heartbeats
	// and lock. It must be the same on all nodes. Default 1.
	Shards int
	// Logger gets refused messages and panics. Default slog.Default().
	Logger *slog.Logger

	// BroadcastPeriod is the time between two ticks, and so the longest time until other nodes
	// have a change. Default 1.5 s.
	BroadcastPeriod time.Duration
	// MaxSilentPeriods is the number of periods in a row without a heartbeat when nothing
	// changes: an idle replica sends one in MaxSilentPeriods+1 periods. Negative means one in
	// every period. Default 10.
	MaxSilentPeriods int
	// DownPeriod is the time for which a replica may be silent before its entries are hidden.
	// It must be at least one and a half times the time between two heartbeats of an idle
	// replica, and two BroadcastPeriods. Default 30 s.
	DownPeriod time.Duration
	// PermdownPeriod is the time for which a replica may be silent before it is forgotten. It
	// must be longer than DownPeriod. Default 20 min.
	PermdownPeriod time.Duration

	// Entries bounds the entries of one replica. Track returns ErrFull if there are as many,
	// and the changes of a replica that has more are refused. Default 1,000,000.
	Entries int
	// History is the number of removals of each replica that are remembered, at 16 bytes each.
	// A replica that has missed more of them gets all entries. Default 10,000.
	History int
	// MessageBytes bounds one encoded message, in bytes. Changes that do not fit go into
	// further ones. From 256 KiB to 1 MiB. Default 512 KiB.
	MessageBytes int

	// samplePeriods is the number of periods for which a replica that misses changes waits for
	// an answer before it asks again. Default 2.
	samplePeriods int
	// replicas bounds the other replicas that one knows. Default maxReplicas.
	replicas int
}

// resolved returns o with its defaults. The error says what to change.
func (o Options) resolved() (Options, error) {
	defaulted(&o.Name, "presence")
	defaulted(&o.Shards, 1)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	defaulted(&o.BroadcastPeriod, 1500*time.Millisecond)
	defaulted(&o.MaxSilentPeriods, 10)
	defaulted(&o.DownPeriod, 30*time.Second)
	defaulted(&o.PermdownPeriod, 20*time.Minute)
	defaulted(&o.Entries, 1_000_000)
	defaulted(&o.History, 10_000)
	defaulted(&o.MessageBytes, 512<<10)
	defaulted(&o.samplePeriods, 2)
	defaulted(&o.replicas, maxReplicas)
	if len(o.Name) > maxName {
		return o, fmt.Errorf("presence: option Name has %d bytes; use %d at most", len(o.Name), maxName)
	}
	if err := o.checkTiming(); err != nil {
		return o, err
	}
	for _, f := range []struct {
		name         string
		value        int
		least, limit int
	}{
		{"option Shards", o.Shards, 1, maxShards},
		{"limit NodeEntries", o.Entries, 1, option.MaxCount},
		{"limit History", o.History, 1, 1 << 20},
		{"limit MessageBytes", o.MessageBytes, 256 << 10, maxMessage},
	} {
		if f.value < f.least || f.value > f.limit {
			return o, fmt.Errorf("presence: %s is %d; use %d to %d, or 0 for the default", f.name, f.value, f.least, f.limit)
		}
	}
	return o, nil
}

// checkTiming checks the periods, by themselves and against each other.
func (o *Options) checkTiming() error {
	if o.BroadcastPeriod < 0 {
		return fmt.Errorf("presence: option Timing.BroadcastPeriod is %v; use 0 for 1.5s, or a positive one", o.BroadcastPeriod)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"BroadcastPeriod", o.BroadcastPeriod}, {"DownPeriod", o.DownPeriod}, {"PermdownPeriod", o.PermdownPeriod}} {
		if d.value > option.MaxDuration {
			return fmt.Errorf("presence: option Timing.%s is %v; use %v at most", d.name, d.value, option.MaxDuration)
		}
	}
	if o.MaxSilentPeriods > 1000 {
		return fmt.Errorf("presence: option Timing.MaxSilentPeriods is %d; use 1000 at most", o.MaxSilentPeriods)
	}
	idle := o.idle()
	if least := max(2*o.BroadcastPeriod, idle+idle/2); o.DownPeriod < least {
		return fmt.Errorf("presence: option Timing.DownPeriod is %v, but an idle node is heard once in %v (BroadcastPeriod × (MaxSilentPeriods+1)); "+
			"raise DownPeriod to %v or more, or lower MaxSilentPeriods or BroadcastPeriod", o.DownPeriod, idle, least)
	}
	if o.PermdownPeriod <= o.DownPeriod {
		return fmt.Errorf("presence: option Timing.PermdownPeriod is %v; use more than DownPeriod, which is %v", o.PermdownPeriod, o.DownPeriod)
	}
	return nil
}

// idle returns the time between two heartbeats of a replica without changes.
func (o *Options) idle() time.Duration {
	return time.Duration(max(o.MaxSilentPeriods, 0)+1) * o.BroadcastPeriod
}

// defaulted sets a field that is zero to its default.
func defaulted[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
