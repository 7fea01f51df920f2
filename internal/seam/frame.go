package seam

import (
	"github.com/bennu-go/bennu/internal/frame"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Headroom is the number of bytes that Seal needs before the payload.
const Headroom = frame.Headroom

// Seal makes a Frame of buf: its first Headroom bytes are free and the rest is the payload. It owns
// buf from then on and copies nothing.
func Seal(op wire.Opcode, buf []byte) transport.Frame { return transport.Frame(frame.Seal(op, buf)) }
