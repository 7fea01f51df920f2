// Package tracker has the former names of [presence.Timing] and [presence.Fast].
//
// Deprecated: use these. This package goes before version 1.
package tracker

import "github.com/bennu-go/bennu/presence"

// Config is presence.Timing. Of the fields that it no longer has, History, MessageSize and Entries
// are History, MessageBytes and NodeEntries of presence.Limits; SamplePeriods and Replicas are fixed.
type Config = presence.Timing

// Fast is presence.Fast.
func Fast() Config { return presence.Fast() }
