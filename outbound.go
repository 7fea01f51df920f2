package bennu

import (
	"math"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/seam"
)

// outbound is the bounds of the queue of frames for one client, from the options of its transport.
// A frame that is larger than bytes could never be sent, so its maker gets an error.
type outbound struct{ bytes, messages int }

// unbounded is the outbound of a client whose transport has no such options.
var unbounded = outbound{math.MaxInt, math.MaxInt}

// outboundOf returns the bounds in the options of a transport, after relateBounds. A bound that the
// transport does not have is unlimited.
func outboundOf(b *seam.Bounds) outbound {
	o := unbounded
	if q := &b.QueueBytes; q.Option != "" {
		o.bytes = limit(q.Value, q.Default)
	}
	if q := &b.QueueMessages; q.Option != "" {
		o.messages = limit(q.Value, q.Default)
	}
	return o
}

// outbound returns the queue bounds of the client of s.
func (s *Socket) outbound() outbound {
	if b, ok := s.conn.(ability.Bounded); ok {
		bytes, messages := b.MostQueued()
		return outbound{bytes, messages}
	}
	return s.via.outbound
}

// boundOutbound lowers leastOutbound to the bound of a connection that brings its own.
func (n *node) boundOutbound(conn seam.Conn) {
	if b, ok := conn.(ability.Bounded); ok {
		bytes, _ := b.MostQueued()
		n.lowerOutbound(bytes)
	}
}

// lowerOutbound lowers leastOutbound to a number of bytes, if that is less.
func (n *node) lowerOutbound(bytes int) {
	for {
		least := n.leastOutbound.Load()
		if int64(bytes) >= least {
			return
		}
		if n.leastOutbound.CompareAndSwap(least, int64(bytes)) {
			pace.Queue(n.pubsub, bytes)
			return
		}
	}
}
