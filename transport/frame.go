package transport

import (
	"github.com/bennu-go/bennu/internal/frame"
	"github.com/bennu-go/bennu/wire"
)

// A Frame is one encoded message for a client. It never changes, and many connections may hold the
// same Frame at once. Its bytes are a complete unmasked frame of RFC 6455, made once for all
// connections that get it. Transports over byte streams should send these bytes, and need no
// framing of their own; transports that have messages send the payload.
type Frame frame.Frame

// NewFrame returns a Frame with a copy of payload, for tests of a Link.
func NewFrame(op wire.Opcode, payload []byte) Frame {
	buf := make([]byte, frame.Headroom, frame.Headroom+len(payload))
	return Frame(frame.Seal(op, append(buf, payload...)))
}

// Bytes returns the frame as it travels over WebSocket. The bytes must not be changed.
func (f Frame) Bytes() []byte { return frame.Frame(f).Bytes() }

// Opcode returns the frame's kind, wire.Text or wire.Binary.
func (f Frame) Opcode() wire.Opcode { return frame.Frame(f).Opcode() }

// Payload returns the message without the header of the frame. The bytes must not be changed.
func (f Frame) Payload() []byte { return frame.Frame(f).Payload() }
