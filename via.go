package bennu

import (
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// via is one transport of a mounted handler. It implements seam.Acceptor, and has the facts about
// the transport that sockets need.
type via struct {
	handler  *mountedHandler
	name     string
	outbound outbound
	textOnly bool // its clients cannot receive binary frames
}

// newVia returns the via of a transport whose bounds relateBounds has set.
func newVia(h *mountedHandler, name string, t *seam.Traits) *via {
	v := &via{handler: h, name: name, textOnly: t.TextOnly, outbound: unbounded}
	if !t.OwnBounds {
		v.outbound = outboundOf(&t.Bounds)
	}
	return v
}

// inMemory returns a copy for in-memory clients, which can receive binary frames.
func (v *via) inMemory() *via {
	return &via{handler: v.handler, name: seam.MemoryName, outbound: v.outbound}
}

// Accept implements seam.Acceptor.
func (v *via) Accept(info *transport.ConnectInfo) (seam.Receiver, error) {
	return v.handler.accept(v, info)
}
