package redisconn

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"strconv"
)

const (
	// MaxPayload bounds a string that is read. Redis accepts 512 MiB, but closes the connection of a
	// subscriber for which 32 MiB wait.
	MaxPayload = 8 << 20
	// maxElements bounds the lists that a server may send. The longest is the map of a
	// cluster, with an element for each range of slots.
	maxElements = 2 * Slots
	// guardBuffer is the size of the read buffer. It also bounds a line: a longer one, such as a
	// long error, ends the connection.
	guardBuffer = 32 << 10
)

// errOverlong ends a connection to a server that is not Redis, or does not keep to the bounds.
var errOverlong = errors.New("the server sent something that is not of its protocol, or overlong")

// guard is a connection that checks the lengths in the data that it reads, since the client library
// allocates memory for any length. Everybody who may publish can send a string that is too long; Read
// returns an empty string in its place.
//
// It knows the form of RESP, the protocol of Redis (https://redis.io/docs/latest/develop/reference/protocol-spec/):
// a line begins with its type and ends with CRLF. The line of a string has its length, and is followed by
// the string and CRLF. The line of a list has the number of its elements. Lines of all other types have
// their value.
//
// Read is called by one goroutine at a time. Writes are not changed.
type guard struct {
	net.Conn
	r    *bufio.Reader
	line []byte // rest of a header line that Read has not returned yet
	left int    // bytes of the present string that Read has not returned yet
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

// ready reports whether more can be read without waiting.
func (g *guard) ready() bool {
	if len(g.line) > 0 {
		return true
	}
	waiting, _ := g.r.Peek(g.r.Buffered())
	return len(waiting) > 0 && (g.left > 0 || bytes.IndexByte(waiting, '\n') >= 0)
}

// header reads the next line, and sets line and left. A string and a line are always followed by a line.
func (g *guard) header() error {
	line, err := g.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return errOverlong
	case err != nil:
		return err
	case len(line) < 3: // a type and CRLF
		return errOverlong
	}
	g.line = line
	switch line[0] {
	case '$', '=', '!': // strings; all but "$" are of version 3 of the protocol
		size, err := strconv.Atoi(string(line[1 : len(line)-2]))
		switch {
		case err != nil || size > 1<<30: // Redis itself allows 512 MiB by default
			return errOverlong
		case size > MaxPayload:
			// The connection goes on: with one long message nobody can cut the node off.
			if _, err := g.r.Discard(size + 2); err != nil {
				return err
			}
			g.line = []byte("$0\r\n\r\n")
		case size >= 0: // -1 means null
			g.left = size + 2
		}
	case '*', '>', '~', '%', '|': // lists, pushes, sets, maps and attributes; all but "*" are of version 3
		if size, err := strconv.Atoi(string(line[1 : len(line)-2])); err != nil || size > maxElements {
			return errOverlong
		}
	}
	return nil
}
