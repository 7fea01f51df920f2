package bennu

import (
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// via is one transport of a mounted handler: it accepts its connections, and says what sockets
// must know of it.
type via struct {
	handler  *mountedHandler
	name     string
	outbound outbound
	textOnly bool // its clients cannot get binary frames
}

// newVia reads the traits of a transport, of which the bounds are related.
func newVia(h *mountedHandler, name string, t *seam.Traits) *via {
	v := &via{handler: h, name: name, textOnly: t.TextOnly, outbound: unbounded}
	if !t.OwnBounds {
		v.outbound = outboundOf(&t.Bounds)
	}
	return v
}

// inMemory is the same for a client in memory, which can get all frames.
func (v *via) inMemory() *via {
	return &via{handler: v.handler, name: seam.MemoryName, outbound: v.outbound}
}

// Accept implements seam.Acceptor.
func (v *via) Accept(info *transport.ConnectInfo) (seam.Receiver, error) {
	return v.handler.accept(v, info)
}
