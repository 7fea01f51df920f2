package bennu

import (
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// Stats are the counters of an endpoint since it was made, except those described as of this
// moment. They are read one after the other, not at one instant.
type Stats struct {
	Sockets int // connections at this moment
	Topics  int // topics with a subscriber on this node at this moment
	// Callbacks is the number of goroutines at this moment that run callbacks, functions of
	// Channel.Go and Endpoint.Subscribe, and renewals and warnings of tokens that expire.
	Callbacks int

	Crashes      int64 // channels that ended with phx_error, except those in Gaps
	JoinCrashes  int64 // joins that panicked, took too long, or had a reply that does not encode
	Overflows    int64 // channels that ended because a message did not fit their mailbox
	Stuck        int64 // callbacks that ran on for longer than Limits.HandlerGrace
	Malformed    int64 // messages that did not decode; each closed its connection
	Gaps         int64 // channels that ended because messages of other nodes may have been missed
	Unsound      int64 // broadcasts of other nodes that were dropped because they are not valid
	MissedEvents int64 // broadcasts dropped because a function of Endpoint.Subscribe was too slow

	// Reasons are the numbers of refusals, drops and closes by the endpoint and its transports, by
	// the reason that the log has, too. Reasons that never occurred are left out. Refusals by an
	// adapter, a presence or a Go client are only in their logs. docs/troubleshooting.md lists all
	// reasons.
	Reasons map[string]int64

	// LogSuppressed is the number of log lines held back at this moment because too many of the
	// same kind were written.
	LogSuppressed int

	// Transports are the counters of the mounted transports by name, added up over all mounts.
	Transports map[string]transport.Stats
	PubSub     pubsub.Health // the connection to other nodes
	History    HistoryStats  // zero without EndpointOptions.History
}

// counters are the counters of a node that are not notices.
type counters struct {
	crashes, joinCrashes atomic.Int64
	history              historyCounters
}

// Stats returns the endpoint's counters.
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
		History:       e.historyStats(),
	}
}
