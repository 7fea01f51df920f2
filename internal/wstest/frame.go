package wstest

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/wsframe"
)

// The opcodes of RFC 6455.
const (
	OpContinuation = wsframe.Continuation
	OpText         = wsframe.Text
	OpBinary       = wsframe.Binary
	OpClose        = wsframe.Close
	OpPing         = wsframe.Ping
	OpPong         = wsframe.Pong
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
	h := wsframe.Header{
		Final: !f.Partial, RSV: f.RSV, Op: f.Op, Masked: !f.Unmasked, Key: mask, Wide: f.Wide,
		Length: cmp.Or(f.Declare, uint64(len(f.Payload))),
	}
	dst = append(h.Append(dst), f.Payload...)
	if h.Masked {
		wsframe.Mask(dst[len(dst)-len(f.Payload):], mask)
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
	h, err := wsframe.Read(r)
	switch {
	case err != nil:
		return Frame{}, err
	case !h.Final || h.RSV != 0 || h.Masked:
		return Frame{}, fmt.Errorf("frame header % x: not final, reserved bits set, or masked", h.Append(nil))
	case h.Length > maxFrame:
		return Frame{}, fmt.Errorf("frame of %d bytes", h.Length)
	}
	f := Frame{Op: h.Op, Payload: make([]byte, h.Length)}
	if _, err := io.ReadFull(r, f.Payload); errors.Is(err, io.EOF) {
		return Frame{}, io.ErrUnexpectedEOF // within a frame, not between two
	} else if err != nil {
		return Frame{}, err
	}
	if f.Op == OpText && !utf8.Valid(f.Payload) {
		return Frame{}, fmt.Errorf("text that is not UTF-8: %q", f.Payload)
	}
	return f, nil
}
