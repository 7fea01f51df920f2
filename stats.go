package bennu

import (
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// Stats are counters of an endpoint since it was made, but for those said to be
// of this moment. They are read one after the other, not at one instant.
type Stats struct {
	Sockets   int // connections at this moment
	Topics    int // topics with a subscriber on this node at this moment
	Callbacks int // goroutines of channels at this moment: callbacks and Channel.Go

	Crashes      int64 // channels that ended with phx_error
	JoinCrashes  int64 // joins that panicked, took too long, or returned a reply that does not encode
	Overflows    int64 // channels ended because a message did not fit their mailbox
	Stuck        int64 // callbacks that ran on after the end of their channel or connection, or a Connect after its context
	Malformed    int64 // messages that did not decode, each of which closed its connection
	Gaps         int64 // channels ended because messages of other nodes may have been missed
	Unsound      int64 // broadcasts of other nodes that were dropped: no event with a JSON object or bytes
	MissedEvents int64 // broadcasts that a subscriber of Endpoint.Subscribe was too slow for

	// Reasons are how often the endpoint and its transports refused, dropped or closed
	// something, by the reason that the log has too; those that did not happen are left
	// out. What an adapter, a presence or a Go client refuses is in their logs alone.
	// docs/troubleshooting.md lists all reasons.
	Reasons map[string]int64

	// LogSuppressed is the number of log lines held back at this moment because
	// their like came too often.
	LogSuppressed int

	// Transports are the counters of the transports that are mounted, by name; all mounts of one
	// are added up.
	Transports map[string]transport.Stats
	PubSub     pubsub.Health // the leg to other nodes
}

type counters struct {
	crashes, joinCrashes atomic.Int64
}

// Stats reads the endpoint's counters.
func (e *Endpoint) Stats() Stats {
	return Stats{
		Sockets:       e.sockets.len(),
		Topics:        e.pubsub.Topics(),
		Callbacks:     e.tasks.Len() + e.lasting.Len(),
		Crashes:       e.stats.crashes.Load(),
		JoinCrashes:   e.stats.joinCrashes.Load(),
		Overflows:     e.book.Count(notice.MailboxFull),
		Stuck:         e.book.Count(notice.Stuck),
		Malformed:     e.book.Count(notice.Malformed),
		Gaps:          e.book.Count(notice.Gap),
		Unsound:       e.book.Count(notice.Unsound),
		MissedEvents:  e.book.Count(notice.SlowSubscriber),
		Reasons:       e.book.Counts(),
		LogSuppressed: e.log.Suppressed(),
		Transports:    e.transports.stats(),
		PubSub:        e.pubsub.Health(),
	}
}
