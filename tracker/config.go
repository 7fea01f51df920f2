package tracker

import (
	"errors"
	"fmt"
	"time"

	"github.com/bennu-go/bennu/internal/option"
)

// Bounds that no configuration moves, because every node of a cluster has to
// agree on them. Lengths are in bytes.
const (
	MaxName    = 128      // of a node's name
	MaxTopic   = 1 << 10  // of a topic
	MaxKey     = 1 << 10  // of a key
	MaxMeta    = 64 << 10 // of a meta
	MaxMessage = 1 << 20  // of an encoded message; Decode takes no more
	// MaxReplicas is how many other replicas one may know.
	MaxReplicas = 1000
)

// Config holds the times and bounds of a State. The zero value is the defaults,
// which for the times are those of Phoenix's tracker. All nodes of a cluster should
// have the same times. It is copied, never changed.
type Config struct {
	// BroadcastPeriod is the time between two calls of Tick, and so how long
	// a change may take to reach other nodes. Default 1.5 s.
	BroadcastPeriod time.Duration
	// MaxSilentPeriods is how many periods in a row pass without a heartbeat
	// when there is nothing to say: an idle replica beats once in
	// MaxSilentPeriods+1 periods. Negative: it beats in every one. Default 10.
	MaxSilentPeriods int
	// DownPeriod is how long a replica may be silent before its entries are
	// hidden. It must be at least one and a half times what an idle replica takes
	// from beat to beat, and two BroadcastPeriods. Default 30 s.
	DownPeriod time.Duration
	// PermdownPeriod is how long a replica may be silent before it is
	// forgotten. It must be longer than DownPeriod. Default 20 min.
	PermdownPeriod time.Duration
	// SamplePeriods is how many periods a replica that misses something waits for an
	// answer before it asks again, and somebody else if it can. Default 2.
	SamplePeriods int
	// History is how many removals of each replica are remembered. Who missed
	// fewer than that is sent what it missed; who missed more is sent all
	// entries. Each takes 16 bytes. Default 10,000.
	History int
	// MessageSize is what one message may take, in bytes, between 256 KiB
	// and MaxMessage. What does not fit goes into further ones. Default 512 KiB.
	MessageSize int
	// Replicas is how many other replicas are listened to, MaxReplicas at most.
	// Default MaxReplicas.
	Replicas int
	// Entries is how many entries one replica may have. More of them are not
	// taken: neither from a caller nor from another node. Default 1,000,000.
	Entries int
}

// Fast is a Config that finds a crashed node within 3 s (and a period) instead of
// 30, for about ten times as many heartbeats.
func Fast() Config {
	return Config{BroadcastPeriod: 300 * time.Millisecond, MaxSilentPeriods: 2, DownPeriod: 3 * time.Second}
}

// Resolved is c with its defaults filled in. Its error says what to change.
func (c Config) Resolved() (Config, error) {
	defaulted(&c.BroadcastPeriod, 1500*time.Millisecond)
	defaulted(&c.MaxSilentPeriods, 10)
	defaulted(&c.DownPeriod, 30*time.Second)
	defaulted(&c.PermdownPeriod, 20*time.Minute)
	defaulted(&c.SamplePeriods, 2)
	defaulted(&c.History, 10_000)
	defaulted(&c.MessageSize, 512<<10)
	defaulted(&c.Replicas, MaxReplicas)
	defaulted(&c.Entries, 1_000_000)
	if c.BroadcastPeriod < 0 {
		return c, fmt.Errorf("tracker: BroadcastPeriod is %v: give a positive one, or 0 for 1.5s", c.BroadcastPeriod)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"BroadcastPeriod", c.BroadcastPeriod}, {"DownPeriod", c.DownPeriod}, {"PermdownPeriod", c.PermdownPeriod}} {
		if d.value > option.MaxDuration {
			return c, fmt.Errorf("tracker: %s is %v: give %v at most", d.name, d.value, option.MaxDuration)
		}
	}
	if c.MaxSilentPeriods > 1000 {
		return c, fmt.Errorf("tracker: MaxSilentPeriods is %d: give 1000 at most", c.MaxSilentPeriods)
	}
	idle := c.idle()
	if least := max(2*c.BroadcastPeriod, idle+idle/2); c.DownPeriod < least {
		return c, fmt.Errorf("tracker: DownPeriod is %v, but an idle replica beats once in %v (BroadcastPeriod × (MaxSilentPeriods+1)): "+
			"raise DownPeriod to %v or more, or lower MaxSilentPeriods or BroadcastPeriod", c.DownPeriod, idle, least)
	}
	if c.PermdownPeriod <= c.DownPeriod {
		return c, fmt.Errorf("tracker: PermdownPeriod is %v: make it longer than DownPeriod, which is %v", c.PermdownPeriod, c.DownPeriod)
	}
	for _, f := range []struct {
		name         string
		value        int
		least, limit int
	}{
		{"SamplePeriods", c.SamplePeriods, 1, 1000},
		{"History", c.History, 1, 1 << 20},
		{"MessageSize", c.MessageSize, 256 << 10, MaxMessage},
		{"Replicas", c.Replicas, 1, MaxReplicas},
		{"Entries", c.Entries, 1, 1 << 30},
	} {
		if f.value < f.least || f.value > f.limit {
			return c, fmt.Errorf("tracker: %s is %d: give one from %d to %d, or 0 for the default", f.name, f.value, f.least, f.limit)
		}
	}
	return c, nil
}

// idle is the time from beat to beat of a replica with nothing to say.
func (c *Config) idle() time.Duration {
	return time.Duration(max(c.MaxSilentPeriods, 0)+1) * c.BroadcastPeriod
}

func defaulted[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// What an operation may be refused with.
var (
	// ErrTracked answers Track of what is tracked already.
	ErrTracked = errors.New("tracker: this owner tracks this key in this topic already: use Update")
	// ErrNotTracked answers Update of what is not tracked.
	ErrNotTracked = errors.New("tracker: this owner does not track this key in this topic: use Track")
	// ErrTooLarge answers a topic, key or meta over its bound.
	ErrTooLarge = errors.New("tracker: too large")
	// ErrFull answers Track when Config.Entries are tracked.
	ErrFull = errors.New("tracker: no room for another entry")
	// ErrStopped answers Track and Update after Goodbye.
	ErrStopped = errors.New("tracker: this replica has said goodbye")
)
