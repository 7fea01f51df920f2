package longpoll

import (
	"sync/atomic"

	"github.com/bennu-go/bennu/transport"
)

// Stats are the counters of a Server since it was made.
type Stats struct {
	Open   int64  // sessions at present
	Opened uint64 // sessions that were made

	// Requests for a session that were refused, by the checks or the acceptor or
	// because the server takes none, and those of an address that has too many.
	Refused        uint64
	AddressLimited uint64

	Polls       uint64 // polls that reached a session of this server
	Posts       uint64 // posts that reached a session of this server
	Batches     uint64 // batches handed over
	Redelivered uint64 // batches given again to clients that missed them

	BadTokens     uint64 // tokens that nobody here signed, or that are for another mount
	BadBodies     uint64 // bodies too large, cut, slow, or not to be read as messages
	IgnoredLines  uint64 // messages of a post beyond MaxBatch, each post counting as one
	Unhandled     uint64 // posts answered with 408
	BinaryDropped uint64 // binary frames of broadcasts, which no long-poll client can receive

	// Requests that other nodes served for a client here, and what arrived from
	// other nodes and made no sense.
	Relayed uint64
	Garbage uint64

	// Why sessions ended. Each session counts once.
	Inactive      uint64 // nobody polled
	SlowConsumers uint64 // the buffer was full
	Gaps          uint64 // the client asked for a batch that is gone
	Lost          uint64 // a batch could not be written, and the client cannot ask again
	Malformed     uint64 // for what the client sent, or a failure of the receiver
	ServerClosed  uint64 // any other code, given by the server
}

type counters struct {
	open                                                  atomic.Int64
	opened, refused, addressLimited                       atomic.Uint64
	polls, posts, batches, redelivered                    atomic.Uint64
	badTokens, badBodies, ignoredLines, unhandled, binary atomic.Uint64
	relayed, garbage                                      atomic.Uint64
	inactive, slow, gaps, lost, malformed, server         atomic.Uint64
}

// Stats returns the counters. They are read one after another, not at one
// instant.
func (s *Server) Stats() Stats {
	c := &s.stats
	return Stats{
		Open: c.open.Load(), Opened: c.opened.Load(),
		Refused: c.refused.Load(), AddressLimited: c.addressLimited.Load(),
		Polls: c.polls.Load(), Posts: c.posts.Load(), Batches: c.batches.Load(), Redelivered: c.redelivered.Load(),
		BadTokens: c.badTokens.Load(), BadBodies: c.badBodies.Load(), IgnoredLines: c.ignoredLines.Load(),
		Unhandled: c.unhandled.Load(), BinaryDropped: c.binary.Load(),
		Relayed: c.relayed.Load(), Garbage: c.garbage.Load(),
		Inactive: c.inactive.Load(), SlowConsumers: c.slow.Load(), Gaps: c.gaps.Load(), Lost: c.lost.Load(),
		Malformed: c.malformed.Load(), ServerClosed: c.server.Load(),
	}
}

// ended counts the end of a session.
func (c *counters) ended(code transport.CloseCode, reason error) {
	switch {
	case reason == ErrInactive:
		c.inactive.Add(1)
	case reason == ErrGap:
		c.gaps.Add(1)
	case reason == transport.ErrSlowConsumer:
		c.slow.Add(1)
	case reason == transport.ErrLost:
		c.lost.Add(1)
	case blames(code):
		c.malformed.Add(1)
	default:
		c.server.Add(1)
	}
}
