package websocket

import (
	"sync/atomic"

	"github.com/bennu-go/bennu/transport"
)

// Stats are the counters of a Server since it was made.
type Stats struct {
	Open    int64  // connections at present, closing ones included
	Closing int64  // of them, those that are closed and whose clients have not gone
	Opened  uint64 // connections that were upgraded

	// Requests that were not upgraded: by the checks, by the acceptor, for the
	// headers of the upgrade, and because the server takes none.
	Refused uint64

	// Why connections ended. Each connection counts once at most.
	ClientClosed   uint64 // the client closed properly
	Lost           uint64 // the socket failed or ended without a close frame
	IdleTimeouts   uint64
	SlowConsumers  uint64 // the queue was full, or nothing was taken within the write timeout
	ProtocolErrors uint64 // 1002 for a violation of RFC 6455
	InvalidData    uint64 // 1007
	PolicyErrors   uint64 // 1008: fragments or control frames beyond the limit
	TooBig         uint64 // 1009
	ServerClosed   uint64 // any other code, given by the server
}

type counters struct {
	open, lingering                           atomic.Int64
	opened, refused                           atomic.Uint64
	clientClosed, lost, idle, slow            atomic.Uint64
	protocol, invalid, policy, tooBig, server atomic.Uint64
}

// Stats returns the counters. They are read one after another, not at one
// instant.
func (s *Server) Stats() Stats {
	c := &s.stats
	return Stats{
		Open: c.open.Load(), Closing: c.lingering.Load(), Opened: c.opened.Load(), Refused: c.refused.Load(),
		ClientClosed: c.clientClosed.Load(), Lost: c.lost.Load(),
		IdleTimeouts: c.idle.Load(), SlowConsumers: c.slow.Load(),
		ProtocolErrors: c.protocol.Load(), InvalidData: c.invalid.Load(),
		PolicyErrors: c.policy.Load(), TooBig: c.tooBig.Load(), ServerClosed: c.server.Load(),
	}
}

// closing counts the end of a connection. The code is 0 when none is sent.
func (c *counters) closing(code transport.CloseCode, reason error) {
	switch reason {
	case transport.ErrClientClosed:
		c.clientClosed.Add(1)
		return
	case transport.ErrLost:
		c.lost.Add(1)
		return
	case transport.ErrIdle:
		c.idle.Add(1)
		return
	case transport.ErrSlowConsumer:
		c.slow.Add(1)
		return
	}
	switch code {
	case transport.CloseProtocolError:
		c.protocol.Add(1)
	case transport.CloseInvalidData:
		c.invalid.Add(1)
	case transport.ClosePolicy:
		c.policy.Add(1)
	case transport.CloseTooBig:
		c.tooBig.Add(1)
	default:
		c.server.Add(1)
	}
}
