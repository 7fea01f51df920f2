package seam

import (
	"sync/atomic"

	"github.com/bennu-go/bennu/transport"
)

// Counters are the counters of a server behind transport.Stats.
type Counters struct {
	Open, Closing   atomic.Int64
	Opened, Refused atomic.Uint64

	clientClosed, lost, idle, slow            atomic.Uint64
	protocol, invalid, policy, tooBig, server atomic.Uint64

	// These change with every message. The padding keeps them on cache lines of their own.
	_                             [64]byte
	messagesIn, bytesIn           atomic.Uint64
	_                             [64]byte
	messagesOut, bytesOut, writes atomic.Uint64
	_                             [64]byte
}

// In counts messages from clients, and their bytes.
func (c *Counters) In(messages, bytes int) {
	c.messagesIn.Add(uint64(messages))
	c.bytesIn.Add(uint64(bytes))
}

// Out counts frames written to clients, their bytes, and the calls that wrote them.
func (c *Counters) Out(messages, bytes, writes int) {
	c.messagesOut.Add(uint64(messages))
	c.bytesOut.Add(uint64(bytes))
	c.writes.Add(uint64(writes))
}

// Ended counts the end of a connection. ErrClientClosed, ErrLost, ErrPanic, ErrIdle and
// ErrSlowConsumer have counters. Any other reason is counted by the close code, which is 0 if none
// is sent.
func (c *Counters) Ended(code transport.CloseCode, reason error) {
	switch reason {
	case transport.ErrClientClosed:
		c.clientClosed.Add(1)
		return
	case transport.ErrLost, transport.ErrPanic:
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

// Stats returns the counters, read one after another. Extra is left to the transport.
func (c *Counters) Stats() transport.Stats {
	return transport.Stats{
		Open: c.Open.Load(), Closing: c.Closing.Load(), Opened: c.Opened.Load(), Refused: c.Refused.Load(),
		ClientClosed: c.clientClosed.Load(), Lost: c.lost.Load(),
		IdleTimeouts: c.idle.Load(), SlowConsumers: c.slow.Load(),
		ProtocolErrors: c.protocol.Load(), InvalidData: c.invalid.Load(),
		PolicyErrors: c.policy.Load(), TooBig: c.tooBig.Load(), ServerClosed: c.server.Load(),
		MessagesIn: c.messagesIn.Load(), BytesIn: c.bytesIn.Load(),
		MessagesOut: c.messagesOut.Load(), BytesOut: c.bytesOut.Load(), Writes: c.writes.Load(),
	}
}

// Add adds the counters of one server to those of another.
func Add(to *transport.Stats, s *transport.Stats) {
	to.Open += s.Open
	to.Closing += s.Closing
	for _, c := range []struct{ to, from *uint64 }{
		{&to.Opened, &s.Opened}, {&to.Refused, &s.Refused},
		{&to.ClientClosed, &s.ClientClosed}, {&to.Lost, &s.Lost},
		{&to.IdleTimeouts, &s.IdleTimeouts}, {&to.SlowConsumers, &s.SlowConsumers},
		{&to.ProtocolErrors, &s.ProtocolErrors}, {&to.InvalidData, &s.InvalidData},
		{&to.PolicyErrors, &s.PolicyErrors}, {&to.TooBig, &s.TooBig}, {&to.ServerClosed, &s.ServerClosed},
		{&to.MessagesIn, &s.MessagesIn}, {&to.BytesIn, &s.BytesIn},
		{&to.MessagesOut, &s.MessagesOut}, {&to.BytesOut, &s.BytesOut}, {&to.Writes, &s.Writes},
	} {
		*c.to += *c.from
	}
	for name, n := range s.Extra {
		if to.Extra == nil {
			to.Extra = make(map[string]uint64)
		}
		to.Extra[name] += n
	}
}
