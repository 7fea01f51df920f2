package presence

import "time"

// Timing says how soon nodes learn of each other's changes and ends. All nodes of a cluster
// need the same Timing. The defaults, for zero fields, are those of Phoenix.Tracker.
type Timing struct {
	// BroadcastPeriod is the time between two broadcasts of a node with changes, and so the
	// longest time until other nodes learn of a change. Default 1.5 s.
	BroadcastPeriod time.Duration
	// MaxSilentPeriods is the number of periods for which a node without changes does not
	// broadcast. After that many it broadcasts once, to show that it is up. Negative means that
	// it broadcasts in every period. Default 10.
	MaxSilentPeriods int
	// DownPeriod is the time for which a node may be silent before its entries leave. It must be
	// at least two BroadcastPeriods, and one and a half times MaxSilentPeriods+1 periods, the
	// time between two broadcasts of an idle node. Default 30 s.
	DownPeriod time.Duration
	// PermdownPeriod is the time for which a node may be silent before it is forgotten. If it
	// is heard again later, it sends all its entries again. It must be more than DownPeriod.
	// Default 20 min.
	PermdownPeriod time.Duration
}

// Fast returns a Timing for tests and development: changes reach other nodes within 0.3 s, and
// the entries of a crashed node leave after 3 s. Nodes broadcast about ten times as often as by
// default.
func Fast() Timing {
	return Timing{BroadcastPeriod: 300 * time.Millisecond, MaxSilentPeriods: 2, DownPeriod: 3 * time.Second}
}
