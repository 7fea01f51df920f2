// Package wsframe reads and writes the headers of WebSocket frames, as RFC 6455 has them, for
// programs that speak WebSocket without a library: load programs and tests, which send what
// no proper client sends, and read what no proper server writes. It judges nothing.
package wsframe

import (
	"encoding/binary"
	"io"
)

// The opcodes of RFC 6455.
const (
	Continuation = 0
	Text         = 1
	Binary       = 2
	Close        = 8
	Ping         = 9
	Pong         = 10
)

// Header is the header of one frame.
type Header struct {
	Final  bool
	RSV    byte // the three reserved bits, RSV1 the highest
	Op     byte
	Masked bool
	Key    [4]byte // masks the payload, if Masked
	Length uint64  // of the payload, in bytes

	// Wide is how many bytes Append gives the length beyond the seven bits of the shortest
	// form: 2 or 8 where fewer would do. 0 is as few as there can be.
	Wide int
}

// Append appends the header to dst.
func (h Header) Append(dst []byte) []byte {
	first := h.RSV<<4 | h.Op
	if h.Final {
		first |= 0x80
	}
	var masked byte
	if h.Masked {
		masked = 0x80
	}
	switch {
	case h.Wide == 8 || h.Length > 1<<16-1:
		dst = binary.BigEndian.AppendUint64(append(dst, first, masked|127), h.Length)
	case h.Wide == 2 || h.Length > 125:
		dst = binary.BigEndian.AppendUint16(append(dst, first, masked|126), uint16(h.Length))
	default:
		dst = append(dst, first, masked|byte(h.Length))
	}
	if h.Masked {
		dst = append(dst, h.Key[:]...)
	}
	return dst
}

// size returns the number of bytes of a header. The argument is the second byte of it.
func size(second byte) int {
	n := 2
	switch second & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if second&0x80 != 0 {
		n += 4
	}
	return n
}

// Parse reads the header at the start of p and returns how many bytes it has, 0 when p does
// not hold all of it. It leaves Wide alone.
func Parse(p []byte) (h Header, n int) {
	if len(p) < 2 {
		return h, 0
	}
	if n = size(p[1]); len(p) < n {
		return h, 0
	}
	h.Final, h.RSV, h.Op = p[0]&0x80 != 0, p[0]>>4&7, p[0]&15
	switch short := p[1] & 0x7f; short {
	case 126:
		h.Length = uint64(binary.BigEndian.Uint16(p[2:]))
	case 127:
		h.Length = binary.BigEndian.Uint64(p[2:])
	default:
		h.Length = uint64(short)
	}
	if h.Masked = p[1]&0x80 != 0; h.Masked {
		h.Key = [4]byte(p[n-4:])
	}
	return h, n
}

// Read reads a header and nothing more. The error is io.EOF where r ends before it, and
// io.ErrUnexpectedEOF where it ends within.
func Read(r io.Reader) (Header, error) {
	var b [14]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return Header{}, err
	}
	n := size(b[1])
	if _, err := io.ReadFull(r, b[2:n]); err == io.EOF {
		return Header{}, io.ErrUnexpectedEOF
	} else if err != nil {
		return Header{}, err
	}
	h, _ := Parse(b[:n])
	return h, nil
}

// Mask masks the payload p, or unmasks it.
func Mask(p []byte, key [4]byte) {
	for i := range p {
		p[i] ^= key[i&3]
	}
}

// AppendMasked appends a whole frame as a client sends it.
func AppendMasked(dst []byte, op byte, key [4]byte, payload []byte) []byte {
	dst = Header{Final: true, Op: op, Masked: true, Key: key, Length: uint64(len(payload))}.Append(dst)
	dst = append(dst, payload...)
	Mask(dst[len(dst)-len(payload):], key)
	return dst
}
