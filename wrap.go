package bennu

import "github.com/bennu-go/bennu/internal/seam"

// The suite for transports calls seam.Wrap; programs cannot.
func init() {
	seam.Wrap = func(handler any, wrap func(seam.Receiver) seam.Receiver) {
		handler.(*SocketHandler).wrap = wrap
	}
}
