package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// firstAlloc is the least capacity, in bytes, that a payload gets before more of it has arrived,
// unless it is declared shorter.
const firstAlloc = 4 << 10

// eventKind says what the parser has found.
type eventKind uint8

const (
	evNone    eventKind = iota // the input is used up
	evMessage                  // a whole message
	evPing                     // a ping; data is the pong frame that answers it
	evPong                     // a pong
	evClose                    // a valid close; nothing follows
)

// event is one thing that the parser has found in the input. The caller of feed owns data.
type event struct {
	kind eventKind
	op   wire.Opcode
	data []byte
}

// violation is a fault of the client, with the code that it is closed with.
type violation struct {
	code transport.CloseCode
	text string
}

// Error is for the log; the client gets only the code.
func (v *violation) Error() string {
	return fmt.Sprintf("websocket: %s (%d)", v.text, uint16(v.code))
}

// broken returns the violation for an error of package ws about a header.
func broken(err error) error { return &violation{transport.CloseProtocolError, err.Error()} }

var (
	// Violations of the protocol, of UTF-8, and of the limits of a mount.
	errLengthMSB     = &violation{transport.CloseProtocolError, "length with the top bit set"}
	errLengthForm    = &violation{transport.CloseProtocolError, "length not in its shortest form"}
	errCloseBody     = &violation{transport.CloseProtocolError, "close with a body of one byte"}
	errCloseCode     = &violation{transport.CloseProtocolError, "close with a code that may not be sent"}
	errUTF8          = &violation{transport.CloseInvalidData, "text that is not UTF-8"}
	errCloseUTF8     = &violation{transport.CloseInvalidData, "close reason that is not UTF-8"}
	errEmptyFragment = &violation{transport.ClosePolicy, "empty fragment in the middle of a message"}
	errFragments     = &violation{transport.ClosePolicy, "too many fragments"}
	errTooBig        = &violation{transport.CloseTooBig, "message too big"}
)

// parser turns the bytes of a client into events. It does no input or output: whoever reads the
// socket passes the bytes as they come, cut anywhere. It keeps no reference to its input. After a
// close or an error it must not be used again.
//
// The zero parser with its two limits set is ready.
//
// Each frame goes through header, begin, payload and end. Control frames may come between the
// fragments of a message, so they are gathered in ctl and not in msg. All checks that need only the
// header are made before any byte of the payload is taken.
type parser struct {
	maxMessage   int
	maxFragments int

	h         ws.Header              // of the current frame, while inPayload
	hdr       [ws.MaxHeaderSize]byte // the bytes of the next header that have arrived
	hn        uint8                  // their number
	inPayload bool
	text      bool   // the message is text
	frags     int    // frames of the message so far; 0 outside a message
	at        int    // bytes of the current payload that have arrived
	checked   int    // bytes of msg known to be UTF-8
	msg       []byte // payload of the message so far, unmasked
	ctl       []byte // the current ping or close as a pong frame: two bytes of header, then the payload
}

// midFrame reports whether a frame has begun and is not complete.
func (ps *parser) midFrame() bool { return ps.inPayload || ps.hn > 0 }

// idle reports whether the parser is between messages. The next frame may then be given to another
// parser.
func (ps *parser) idle() bool { return !ps.midFrame() && ps.frags == 0 }

// feed parses p until it finds something or p is used up, and returns how many bytes it took. It
// must be called again with the rest.
func (ps *parser) feed(p []byte) (n int, ev event, err error) {
	for {
		if !ps.inPayload {
			k, ok, err := ps.header(p[n:])
			n += k
			if err != nil || !ok {
				return n, event{}, err
			}
			if err := ps.begin(); err != nil {
				return n, event{}, err
			}
		}
		k := ps.payload(p[n:])
		n += k
		if int64(ps.at) < ps.h.Length {
			return n, event{}, nil
		}
		if ev, err = ps.end(); err != nil || ev.kind != evNone {
			return n, ev, err
		}
	}
}

// header gathers the header of the next frame, and reports whether it is complete.
// It has two bytes, then 0, 2 or 8 of an extended length, then 4 of the mask, which begin wants of
// every client.
func (ps *parser) header(p []byte) (n int, ok bool, err error) {
	for {
		need := 2
		if ps.hn >= 2 {
			need = headerSize(ps.hdr[1])
		}
		if int(ps.hn) == need {
			break
		}
		k := copy(ps.hdr[ps.hn:need], p[n:])
		if k == 0 {
			return n, false, nil
		}
		n += k
		ps.hn += uint8(k)
	}
	b := ps.hdr[:ps.hn]
	ps.hn = 0
	ps.h = ws.Header{
		Fin:    b[0]&0x80 != 0,
		Rsv:    b[0] >> 4 & 7,
		OpCode: ws.OpCode(b[0] & 15),
		Masked: b[1]&0x80 != 0,
	}
	rest := b[2:]
	switch l := b[1] & 0x7f; l {
	case 126:
		ps.h.Length = int64(binary.BigEndian.Uint16(rest))
		rest = rest[2:]
		if ps.h.Length < 126 {
			err = errLengthForm
		}
	case 127:
		u := binary.BigEndian.Uint64(rest)
		ps.h.Length = int64(u & (1<<63 - 1))
		rest = rest[8:]
		if u>>63 != 0 {
			err = errLengthMSB
		} else if u < 1<<16 {
			err = errLengthForm
		}
	default:
		ps.h.Length = int64(l)
	}
	copy(ps.h.Mask[:], rest)
	return n, err == nil, err
}

// headerSize returns the size in bytes of a header whose second byte is b.
func headerSize(b byte) int {
	n := 2
	switch b & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b&0x80 != 0 {
		n += 4
	}
	return n
}

// begin checks a complete header and prepares for the payload.
func (ps *parser) begin() error {
	state := ws.StateServerSide
	if ps.frags > 0 {
		state = state.Set(ws.StateFragmented)
	}
	h := &ps.h
	if err := ws.CheckHeader(*h, state); err != nil {
		return broken(err)
	}
	ps.at = 0
	ps.inPayload = true
	if h.OpCode.IsControl() {
		if h.OpCode != ws.OpPong {
			ps.ctl = make([]byte, 2+h.Length)
			ps.ctl[0], ps.ctl[1] = 0x80|byte(ws.OpPong), byte(h.Length)
		}
		return nil
	}
	if h.OpCode == ws.OpContinuation {
		if h.Length == 0 && !h.Fin {
			return errEmptyFragment
		}
	} else {
		ps.text = h.OpCode == ws.OpText
	}
	if ps.frags >= ps.maxFragments {
		return errFragments
	}
	ps.frags++
	if h.Length > int64(ps.maxMessage-len(ps.msg)) {
		return errTooBig
	}
	return nil
}

// payload takes the bytes of p that belong to the current payload, and returns how many.
func (ps *parser) payload(p []byte) int {
	if left := ps.h.Length - int64(ps.at); int64(len(p)) > left {
		p = p[:left]
	}
	if len(p) == 0 {
		return 0
	}
	switch {
	case !ps.h.OpCode.IsControl():
		ps.grow(len(p))
		from := len(ps.msg)
		ps.msg = append(ps.msg, p...)
		ws.Cipher(ps.msg[from:], ps.h.Mask, ps.at)
	case ps.ctl != nil:
		dst := ps.ctl[2+ps.at:]
		ws.Cipher(dst[:copy(dst, p)], ps.h.Mask, ps.at)
	}
	ps.at += len(p)
	return len(p)
}

// grow makes room for n more bytes of the message. A message of one frame that has arrived
// completely gets exactly its size. Any other gets room as it arrives, so a declared length costs
// nothing, and never more than may still come. The capacity doubles each time, so the cost is
// proportional to the message, however many fragments it is cut into.
func (ps *parser) grow(n int) {
	need := len(ps.msg) + n
	if need <= cap(ps.msg) {
		return
	}
	frame := len(ps.msg) - ps.at + int(ps.h.Length) // length of the message at the end of this frame
	most := ps.maxMessage
	if ps.h.Fin {
		most = frame
	}
	size := max(need, 2*cap(ps.msg), min(firstAlloc, frame))
	ps.msg = resized(ps.msg, min(size, most))
}

// resized returns a copy of b with the given capacity.
func resized(b []byte, capacity int) []byte {
	c := make([]byte, len(b), capacity)
	copy(c, b)
	return c
}

// end handles a frame whose payload is complete.
func (ps *parser) end() (event, error) {
	ps.inPayload = false
	switch ps.h.OpCode {
	case ws.OpPing:
		pong := ps.ctl
		ps.ctl = nil
		return event{kind: evPing, data: pong}, nil
	case ws.OpPong:
		return event{kind: evPong}, nil
	case ws.OpClose:
		body := ps.ctl[2:]
		ps.ctl = nil
		return event{kind: evClose}, checkClose(body)
	}
	if ps.text {
		n, ok := checkUTF8(ps.msg[ps.checked:], ps.h.Fin)
		if !ok {
			return event{}, errUTF8
		}
		ps.checked += n
	}
	if !ps.h.Fin {
		return event{}, nil
	}
	if n := len(ps.msg); cap(ps.msg)-n > n/4 {
		ps.msg = resized(ps.msg, n) // whoever keeps the message does not keep the unused capacity
	}
	ev := event{kind: evMessage, op: wire.Binary, data: ps.msg}
	if ps.text {
		ev.op = wire.Text
	}
	ps.msg, ps.checked, ps.frags = nil, 0, 0
	return ev, nil
}

// checkUTF8 checks that b is UTF-8. Unless it is final, a rune that is cut off at the end of b is
// left for later; n is the number of bytes that are checked.
func checkUTF8(b []byte, final bool) (n int, ok bool) {
	n = len(b)
	if !final {
		for i := n - 1; i >= 0 && i >= n-utf8.UTFMax+1; i-- {
			if utf8.RuneStart(b[i]) {
				if !utf8.FullRune(b[i:]) {
					n = i
				}
				break
			}
		}
	}
	return n, utf8.Valid(b[:n])
}

// checkClose checks the body of a close frame. An empty one is valid.
func checkClose(body []byte) error {
	switch len(body) {
	case 0:
		return nil
	case 1:
		return errCloseBody
	}
	switch code := binary.BigEndian.Uint16(body); {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1011, code >= 3000 && code <= 4999:
	default:
		return errCloseCode
	}
	if !utf8.Valid(body[2:]) {
		return errCloseUTF8
	}
	return nil
}
