package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of WebSocket frames.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
	// opNone says that a frame was read and a message is not whole yet.
	opNone = 0xff
)

// maxMessage bounds one message from the server in bytes, all fragments together.
const maxMessage = 4 << 20

// codeNone stands for a close frame without a code, as in RFC 6455.
const codeNone = 1005

// What a server may not send.
var (
	errReserved   = errors.New("a frame with reserved bits")
	errMasked     = errors.New("a masked frame")
	errOpcode     = errors.New("a frame with an unknown opcode")
	errControl    = errors.New("a control frame that is fragmented or longer than 125 bytes")
	errStray      = errors.New("a continuation without a beginning")
	errInterleave = errors.New("a message in the middle of another one")
	errTooLong    = fmt.Errorf("a message longer than %d bytes", maxMessage)
	errCloseBody  = errors.New("a close frame with one byte")
)

// frameReader cuts what arrives on one connection into messages. The zero value is
// ready; between messages it holds no memory.
type frameReader struct {
	rest       []byte // of a frame that is not whole
	message    []byte // fragments so far
	op         byte   // of the fragmented message
	fragmented bool
}

// begin puts what was left over in front of data. The result belongs to the reader
// until keep.
func (r *frameReader) begin(data []byte) []byte {
	if len(r.rest) == 0 {
		return data
	}
	r.rest = append(r.rest, data...)
	return r.rest
}

// keep holds on to what next did not use of the slice that begin returned.
func (r *frameReader) keep(left []byte) {
	switch {
	case len(left) == 0:
		r.rest = nil
	case len(left) != len(r.rest):
		r.rest = append([]byte(nil), left...)
	}
}

// next reads one frame at the start of buf and tells its length in n, which is 0 when
// the frame is not whole. The payload points into buf or into the reader; it is good
// until the next call.
func (r *frameReader) next(buf []byte) (op byte, payload []byte, n int, err error) {
	if len(buf) < 2 {
		return opNone, nil, 0, nil
	}
	final, op := buf[0]&0x80 != 0, buf[0]&0x0f
	switch {
	case buf[0]&0x70 != 0:
		return opNone, nil, 0, errReserved
	case buf[1]&0x80 != 0:
		return opNone, nil, 0, errMasked
	case op > opBinary && op < opClose, op > opPong:
		return opNone, nil, 0, errOpcode
	case op >= opClose && (!final || buf[1] > 125):
		return opNone, nil, 0, errControl
	case op == opContinuation && !r.fragmented:
		return opNone, nil, 0, errStray
	case (op == opText || op == opBinary) && r.fragmented:
		return opNone, nil, 0, errInterleave
	}
	header, length := 2, uint64(buf[1])
	switch length {
	case 126:
		if header = 4; len(buf) < header {
			return opNone, nil, 0, nil
		}
		length = uint64(binary.BigEndian.Uint16(buf[2:]))
	case 127:
		if header = 10; len(buf) < header {
			return opNone, nil, 0, nil
		}
		length = binary.BigEndian.Uint64(buf[2:])
	}
	if length > uint64(maxMessage-len(r.message)) {
		return opNone, nil, 0, errTooLong
	}
	if uint64(len(buf)-header) < length {
		return opNone, nil, 0, nil
	}
	n = header + int(length)
	payload = buf[header:n]
	switch {
	case op >= opClose:
		return op, payload, n, nil
	case op != opContinuation && final:
		return op, payload, n, nil
	case op != opContinuation:
		r.fragmented, r.op = true, op
	}
	r.message = append(r.message, payload...)
	if !final {
		return opNone, nil, n, nil
	}
	op, payload = r.op, r.message
	r.fragmented, r.message = false, nil
	return op, payload, n, nil
}

// closeCode reads the payload of a close frame.
func closeCode(payload []byte) (int, error) {
	switch len(payload) {
	case 0:
		return codeNone, nil
	case 1:
		return 0, errCloseBody
	}
	return int(binary.BigEndian.Uint16(payload)), nil
}

// appendFrame adds a whole frame as a client sends it, masked.
func appendFrame(dst []byte, op byte, mask [4]byte, payload []byte) []byte {
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126, byte(n>>8), byte(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, mask[:]...)
	for i, b := range payload {
		dst = append(dst, b^mask[i&3])
	}
	return dst
}

// appendClose adds a close frame with a code.
func appendClose(dst []byte, mask [4]byte, code int) []byte {
	return appendFrame(dst, opClose, mask, []byte{byte(code >> 8), byte(code)})
}
