package conformance

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxFrame bounds what a server can make the runner hold.
const maxFrame = 64 << 20

// The opcodes of RFC 6455 that the runner tells apart.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

func opName(op byte) string {
	names := map[byte]string{opContinuation: "continuation", opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong"}
	if n, ok := names[op]; ok {
		return n
	}
	return fmt.Sprintf("opcode %d", op)
}

// A header is one line of a request. Requests here are lists of lines, so that the
// name goes out as it is written.
type header struct{ name, value string }

// A socket is one WebSocket connection. It frames by hand, so that it can also send
// what no client should.
type socket struct {
	conn   net.Conn
	r      *bufio.Reader
	answer *http.Response
	body   []byte // of an answer that is no upgrade
}

// A frame is what came in. A frame without an opcode says that the connection is
// gone.
type frame struct {
	opcode  byte
	payload []byte
	gone    error
}

func (f frame) String() string {
	switch {
	case f.gone != nil:
		return "the end of the connection (" + f.gone.Error() + ")"
	case f.opcode == opText:
		return "text " + quote(f.payload)
	case f.opcode == opClose && len(f.payload) >= 2:
		return fmt.Sprintf("close %d %q", binary.BigEndian.Uint16(f.payload), f.payload[2:])
	}
	return fmt.Sprintf("%s %x", opName(f.opcode), f.payload[:min(len(f.payload), 100)])
}

// openSocket sends an upgrade request and reads the answer, whatever it is. The
// usual headers named in omit (lower case) are left out, and extra ones follow.
func openSocket(ctx context.Context, target, path string, extra []header, omit []string) (*socket, error) {
	key := make([]byte, 16)
	rand.Read(key)
	usual := []header{{"Host", target}, {"Connection", "Upgrade"}, {"Upgrade", "websocket"},
		{"Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(key)}, {"Sec-WebSocket-Version", "13"}}
	lines := slices.DeleteFunc(usual, func(h header) bool { return slices.Contains(omit, strings.ToLower(h.name)) })
	lines = append(lines, extra...)

	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() }) // ends what waits for the server
	s := &socket{conn: conn, r: bufio.NewReader(conn)}
	if err := s.shake(path, lines); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) shake(path string, lines []header) error {
	s.conn.SetDeadline(time.Now().Add(patience))
	defer s.conn.SetDeadline(time.Time{})
	if _, err := s.conn.Write(head("GET", path, lines)); err != nil {
		return err
	}
	var err error
	if s.answer, err = http.ReadResponse(s.r, nil); err != nil {
		return fmt.Errorf("answer to the upgrade: %w", err)
	}
	if s.answer.StatusCode != http.StatusSwitchingProtocols {
		s.body, err = io.ReadAll(io.LimitReader(s.answer.Body, maxFrame))
	}
	return err
}

// head writes the lines of a request before its body.
func head(method, path string, lines []header) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	for _, h := range lines {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// shape says how a frame departs from what a client ought to send.
type shape struct {
	Fin  bool `json:"fin"`
	Mask bool `json:"mask"`
	Rsv  byte `json:"rsv"` // the three bits, RSV1 the highest
}

// proper is the shape of a frame that is all right.
var proper = shape{Fin: true, Mask: true}

func (s *socket) send(opcode byte, payload []byte, how shape) error {
	b := []byte{how.Rsv<<4 | opcode}
	if how.Fin {
		b[0] |= 0x80
	}
	var maskBit byte
	if how.Mask {
		maskBit = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, maskBit|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, maskBit|127), uint64(n))
	}
	if how.Mask {
		var key [4]byte
		rand.Read(key[:])
		b = append(b, key[:]...)
		for i, c := range payload {
			b = append(b, c^key[i%4])
		}
	} else {
		b = append(b, payload...)
	}
	s.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.conn.Write(b)
	return err
}

// errQuiet says that nothing came within the time given. Nothing is lost then.
var errQuiet = errors.New("nothing")

// receive reads one frame. The end of the connection is a frame too.
func (s *socket) receive(timeout time.Duration) (frame, error) {
	s.conn.SetReadDeadline(time.Now().Add(timeout))
	// The first byte is looked at, not taken: a read that times out before it
	// leaves the next one at the start of a frame.
	if _, err := s.r.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
		return frame{}, errQuiet
	} else if err != nil {
		return frame{gone: err}, nil
	}
	s.conn.SetReadDeadline(time.Now().Add(patience))
	var h [2]byte
	if _, err := io.ReadFull(s.r, h[:]); err != nil {
		return frame{gone: err}, nil
	}
	if h[0]&0x80 == 0 || h[0]&0x70 != 0 || h[1]&0x80 != 0 {
		return frame{}, fmt.Errorf("a server sends whole, unmasked frames without reserved bits, not % x", h)
	}
	n := uint64(h[1] & 0x7f)
	if ext := map[uint64]int{126: 2, 127: 8}[n]; ext > 0 {
		var b [8]byte
		if _, err := io.ReadFull(s.r, b[8-ext:]); err != nil {
			return frame{gone: err}, nil
		}
		n = binary.BigEndian.Uint64(b[:])
	}
	if n > maxFrame {
		return frame{}, fmt.Errorf("a frame of %d bytes", n)
	}
	f := frame{opcode: h[0] & 15, payload: make([]byte, n)}
	if _, err := io.ReadFull(s.r, f.payload); err != nil {
		return frame{gone: err}, nil
	}
	if f.opcode == opText && !utf8.Valid(f.payload) {
		return frame{}, fmt.Errorf("text that is not UTF-8: %s", quote(f.payload))
	}
	return f, nil
}
