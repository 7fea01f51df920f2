package redispubsub

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"strconv"
)

const (
	// maxPayload bounds a message. Redis itself takes 512 MiB, and cuts off who
	// has not read 32 MiB.
	maxPayload = 8 << 20
	// maxElements bounds the lists that a server may send. The longest is the map of
	// a cluster, an element for each range of slots.
	maxElements = 2 * slotCount
	guardBuffer = 32 << 10
)

var errOverlong = errors.New("the server sent something that is not of its protocol, or overlong")

// guard is a connection whose other side is not believed about lengths: the
// client library takes memory for whatever length is announced. A string that is too
// long, which anybody who may publish can send, comes out empty.
type guard struct {
	net.Conn
	r    *bufio.Reader
	line []byte // of a header line, what was not handed out yet; memory of r or constant
	left int    // of a string
}

func newGuard(c net.Conn) *guard {
	return &guard{Conn: c, r: bufio.NewReaderSize(c, guardBuffer)}
}

// Read implements net.Conn.
func (g *guard) Read(p []byte) (n int, err error) {
	for n < len(p) && (n == 0 || g.ready()) {
		switch {
		case len(g.line) > 0:
			k := copy(p[n:], g.line)
			n, g.line = n+k, g.line[k:]
		case g.left > 0:
			k, err := g.r.Read(p[n:min(len(p), n+g.left)])
			n, g.left = n+k, g.left-k
			if err != nil {
				return n, err
			}
		default:
			if err := g.header(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// ready reports whether there is more that can be had without waiting.
func (g *guard) ready() bool {
	if len(g.line) > 0 {
		return true
	}
	waiting, _ := g.r.Peek(g.r.Buffered())
	return len(waiting) > 0 && (g.left > 0 || bytes.IndexByte(waiting, '\n') >= 0)
}

// header reads a line, the only thing that can follow a string or another line.
func (g *guard) header() error {
	line, err := g.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return errOverlong
	case err != nil:
		return err
	case len(line) < 3:
		return errOverlong
	}
	g.line = line
	switch line[0] {
	case '$', '=', '!':
		size, err := strconv.Atoi(string(line[1 : len(line)-2]))
		switch {
		case err != nil || size > 1<<30:
			return errOverlong
		case size > maxPayload:
			if _, err := g.r.Discard(size + 2); err != nil {
				return err
			}
			g.line = []byte("$0\r\n\r\n")
		case size >= 0: // -1 is nothing at all
			g.left = size + 2
		}
	case '*', '>', '~', '%', '|':
		if size, err := strconv.Atoi(string(line[1 : len(line)-2])); err != nil || size > maxElements {
			return errOverlong
		}
	}
	return nil
}
