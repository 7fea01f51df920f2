package seam

import (
	"github.com/bennu-go/bennu/internal/frame"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Headroom is how many bytes Seal needs before the payload.
const Headroom = frame.Headroom

// Seal makes a Frame of buf, whose first Headroom bytes are free and whose rest is the payload.
// It takes ownership of buf and copies nothing.
func Seal(op wire.Opcode, buf []byte) transport.Frame { return transport.Frame(frame.Seal(op, buf)) }
