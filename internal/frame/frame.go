// Package frame makes the frames that connections send. Package transport exports them as its type
// Frame. Programs make frames with transport.NewFrame, which copies the payload; Seal does not.
package frame

import (
	"encoding/binary"

	"github.com/bennu-go/bennu/wire"
)

// Headroom is the number of bytes that Seal needs before the payload, for the longest header of an
// unmasked WebSocket frame.
const Headroom = 10

// Frame has the same fields as transport.Frame, so converting one into the other costs nothing.
type Frame struct{ b []byte }

// Seal makes a Frame of buf: its first Headroom bytes are free and the rest is the payload. It owns
// buf from then on, writes the header into it, and copies nothing.
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

// Bytes returns the frame as it travels over WebSocket. The bytes must not be changed.
func (f Frame) Bytes() []byte { return f.b }

// Opcode returns the kind of the frame. It panics for the zero Frame.
func (f Frame) Opcode() wire.Opcode { return wire.Opcode(f.b[0] & 15) }

// Payload returns the bytes after the header, which the serializer wrote. They must not be changed.
// It panics for the zero Frame.
func (f Frame) Payload() []byte {
	switch f.b[1] {
	case 126:
		return f.b[4:]
	case 127:
		return f.b[10:]
	}
	return f.b[2:]
}
