// Package frame makes the frames that connections send. Package transport shows them to
// transports as its type Frame, which nobody else can make without copying.
package frame

import (
	"encoding/binary"

	"github.com/bennu-go/bennu/wire"
)

// Headroom is how many bytes Seal needs before the payload for the longest
// header of an unmasked WebSocket frame.
const Headroom = 10

// Frame is a transport.Frame, to which it converts for free.
type Frame struct{ b []byte }

// Seal makes a Frame of buf, whose first Headroom bytes are free and whose rest
// is the payload. It takes ownership of buf and copies nothing.
func Seal(op wire.Opcode, buf []byte) Frame {
	n := len(buf) - Headroom
	start := Headroom - 2
	switch {
	case n < 126:
		buf[start+1] = byte(n)
	case n < 1<<16:
		start = Headroom - 4
		buf[start+1] = 126
		binary.BigEndian.PutUint16(buf[start+2:], uint16(n))
	default:
		start = 0
		buf[1] = 127
		binary.BigEndian.PutUint64(buf[2:], uint64(n))
	}
	buf[start] = 0x80 | byte(op)
	return Frame{buf[start:]}
}

// Bytes is the frame as it travels over WebSocket. It must not be changed.
func (f Frame) Bytes() []byte { return f.b }

// Len is the number of bytes the frame takes on a WebSocket.
func (f Frame) Len() int { return len(f.b) }

// Opcode is the frame's kind.
func (f Frame) Opcode() wire.Opcode { return wire.Opcode(f.b[0] & 15) }

// Payload is what the serializer wrote. It must not be changed.
func (f Frame) Payload() []byte {
	switch f.b[1] {
	case 126:
		return f.b[4:]
	case 127:
		return f.b[10:]
	}
	return f.b[2:]
}
