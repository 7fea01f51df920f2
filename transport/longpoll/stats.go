package longpoll

import (
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// counters are the counters of a server; New describes them.
type counters struct {
	seam.Counters
	addressLimited                                        atomic.Uint64
	polls, posts, batches, redelivered                    atomic.Uint64
	badTokens, badBodies, ignoredLines, unhandled, binary atomic.Uint64
	relayed, garbage, gaps                                atomic.Uint64
}

// Stats implements seam.Server.
func (s *server) Stats() transport.Stats {
	c := &s.stats
	stats := c.Counters.Stats()
	stats.Extra = map[string]uint64{
		"address_limited": c.addressLimited.Load(),
		"polls":           c.polls.Load(),
		"posts":           c.posts.Load(),
		"batches":         c.batches.Load(),
		"redelivered":     c.redelivered.Load(),
		"bad_tokens":      c.badTokens.Load(),
		"bad_bodies":      c.badBodies.Load(),
		"ignored_lines":   c.ignoredLines.Load(),
		"unhandled":       c.unhandled.Load(),
		"binary_dropped":  c.binary.Load(),
		"relayed":         c.relayed.Load(),
		"garbage":         c.garbage.Load(),
		"gaps":            c.gaps.Load(),
	}
	return stats
}

// ended counts the end of a session.
func (c *counters) ended(code transport.CloseCode, reason error) {
	switch reason {
	case errInactive:
		reason = transport.ErrIdle
	case errGap:
		c.gaps.Add(1)
		reason = transport.ErrLost
	}
	c.Ended(code, reason)
}
