package wstest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// The opcodes of RFC 6455.
const (
	OpContinuation = 0
	OpText         = 1
	OpBinary       = 2
	OpClose        = 8
	OpPing         = 9
	OpPong         = 10
)

// maxFrame bounds what a server can make a test hold.
const maxFrame = 64 << 20

// Frame is one WebSocket frame, right or wrong. The zero value of what follows
// Payload is how a proper client writes it.
type Frame struct {
	Op      byte
	Payload []byte

	Partial  bool // the final bit is not set
	RSV      byte // the three reserved bits, RSV1 the highest
	Unmasked bool
	Wide     int    // length in so many bytes (2 or 8) where fewer would do
	Declare  uint64 // length to declare in place of the payload's
}

// Text is a text frame.
func Text(s string) Frame { return Frame{Op: OpText, Payload: []byte(s)} }

// Binary is a binary frame.
func Binary(p []byte) Frame { return Frame{Op: OpBinary, Payload: p} }

// Ping is a ping.
func Ping(s string) Frame { return Frame{Op: OpPing, Payload: []byte(s)} }

// CloseFrame is a close frame without a reason.
func CloseFrame(code int) Frame {
	return Frame{Op: OpClose, Payload: binary.BigEndian.AppendUint16(nil, uint16(code))}
}

// mask is fixed: tests need frames that repeat, not secrets.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// Append appends the frame as a client sends it.
func (f Frame) Append(dst []byte) []byte {
	first := f.Op | f.RSV<<4
	if !f.Partial {
		first |= 0x80
	}
	var masked byte
	if !f.Unmasked {
		masked = 0x80
	}
	n := uint64(len(f.Payload))
	if f.Declare != 0 {
		n = f.Declare
	}
	switch {
	case f.Wide == 8 || n > 65535:
		dst = binary.BigEndian.AppendUint64(append(dst, first, masked|127), n)
	case f.Wide == 2 || n > 125:
		dst = binary.BigEndian.AppendUint16(append(dst, first, masked|126), uint16(n))
	default:
		dst = append(dst, first, masked|byte(n))
	}
	if f.Unmasked {
		return append(dst, f.Payload...)
	}
	dst = append(dst, mask[:]...)
	for i, c := range f.Payload {
		dst = append(dst, c^mask[i%4])
	}
	return dst
}

// Code is the code of a close frame, 0 when it has none.
func (f Frame) Code() int {
	if f.Op != OpClose || len(f.Payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(f.Payload))
}

// String shows a frame in a failure message.
func (f Frame) String() string {
	const shown = 600
	more := ""
	if len(f.Payload) > shown {
		more = fmt.Sprintf("... (%d bytes)", len(f.Payload))
	}
	p := f.Payload[:min(len(f.Payload), shown)]
	switch f.Op {
	case OpText:
		return fmt.Sprintf("text %s%s", p, more)
	case OpBinary:
		return fmt.Sprintf("binary %q%s", p, more)
	case OpClose:
		return fmt.Sprintf("close %d", f.Code())
	case OpPing:
		return fmt.Sprintf("ping %q", p)
	case OpPong:
		return fmt.Sprintf("pong %q", p)
	}
	return fmt.Sprintf("opcode %d %q%s", f.Op, p, more)
}

// ReadFrame reads one frame of a server, whose frames are whole and unmasked and
// whose text is UTF-8.
func ReadFrame(r *bufio.Reader) (Frame, error) {
	var h [8]byte
	if _, err := io.ReadFull(r, h[:2]); err != nil {
		return Frame{}, err
	}
	if h[0]&0xf0 != 0x80 || h[1]&0x80 != 0 {
		return Frame{}, fmt.Errorf("frame header % x: not final, reserved bits set, or masked", h[:2])
	}
	f := Frame{Op: h[0] & 15}
	n := uint64(h[1])
	var err error
	switch n {
	case 126:
		_, err = io.ReadFull(r, h[:2])
		n = uint64(binary.BigEndian.Uint16(h[:2]))
	case 127:
		_, err = io.ReadFull(r, h[:8])
		n = binary.BigEndian.Uint64(h[:8])
	}
	if err != nil {
		return Frame{}, unexpected(err)
	}
	if n > maxFrame {
		return Frame{}, fmt.Errorf("frame of %d bytes", n)
	}
	f.Payload = make([]byte, n)
	if _, err := io.ReadFull(r, f.Payload); err != nil {
		return Frame{}, unexpected(err)
	}
	if f.Op == OpText && !utf8.Valid(f.Payload) {
		return Frame{}, fmt.Errorf("text that is not UTF-8: %q", f.Payload)
	}
	return f, nil
}

// unexpected tells an end within a frame from one between two.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
