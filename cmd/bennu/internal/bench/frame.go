package bench

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bennu-go/bennu/internal/wsframe"
)

// opNone is the opcode of a frame that does not complete a message.
const opNone = 0xff

// maxMessage bounds one message from the server in bytes, all fragments together.
const maxMessage = 4 << 20

// codeNone is the code of a close frame without one, as in RFC 6455.
const codeNone = 1005

// Faults of a server.
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

// frameReader splits the bytes of one connection into messages. The zero value is ready. Between
// messages it has no buffer.
type frameReader struct {
	rest       []byte // of a frame that is not whole
	message    []byte // fragments so far
	op         byte   // of the fragmented message
	fragmented bool
}

// begin returns data with the rest of the last call in front of it. The result belongs to the reader
// until keep is called.
func (r *frameReader) begin(data []byte) []byte {
	if len(r.rest) == 0 {
		return data
	}
	r.rest = append(r.rest, data...)
	return r.rest
}

// keep keeps the bytes of the slice of begin that next has not used.
func (r *frameReader) keep(left []byte) {
	switch {
	case len(left) == 0:
		r.rest = nil
	case len(left) != len(r.rest):
		r.rest = append([]byte(nil), left...)
	}
}

// next reads one frame at the start of buf and returns its length in n, or 0 if the frame is not
// complete. The payload points into buf or into the reader, and is valid until the next call.
func (r *frameReader) next(buf []byte) (op byte, payload []byte, n int, err error) {
	h, header := wsframe.Parse(buf)
	if header == 0 {
		return opNone, nil, 0, nil
	}
	control := h.Op >= wsframe.Close
	switch {
	case h.RSV != 0:
		return opNone, nil, 0, errReserved
	case h.Masked:
		return opNone, nil, 0, errMasked
	case h.Op > wsframe.Binary && !control, h.Op > wsframe.Pong:
		return opNone, nil, 0, errOpcode
	case control && (!h.Final || header > 2):
		return opNone, nil, 0, errControl
	case h.Op == wsframe.Continuation && !r.fragmented:
		return opNone, nil, 0, errStray
	case !control && h.Op != wsframe.Continuation && r.fragmented:
		return opNone, nil, 0, errInterleave
	case h.Length > uint64(maxMessage-len(r.message)):
		return opNone, nil, 0, errTooLong
	case uint64(len(buf)-header) < h.Length:
		return opNone, nil, 0, nil
	}
	n = header + int(h.Length)
	payload = buf[header:n]
	switch {
	case control, h.Op != wsframe.Continuation && h.Final:
		return h.Op, payload, n, nil
	case h.Op != wsframe.Continuation:
		r.fragmented, r.op = true, h.Op
	}
	r.message = append(r.message, payload...)
	if !h.Final {
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

// appendClose adds a close frame with a code.
func appendClose(dst []byte, mask [4]byte, code int) []byte {
	return wsframe.AppendMasked(dst, wsframe.Close, mask, binary.BigEndian.AppendUint16(nil, uint16(code)))
}
