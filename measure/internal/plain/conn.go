// Package plain has WebSocket clients without buffers, so that a process can hold many.
package plain

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/wsframe"
)

// Conn is a connection to a server. Its join_ref and all its refs are "1".
type Conn struct{ net.Conn }

// Dial connects to the socket at an address. The connection lasts for 5 minutes.
func Dial(addr string) (Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return Conn{}, err
	}
	c := Conn{nc}
	if err := c.upgrade(addr); err != nil {
		nc.Close()
		return Conn{}, err
	}
	return c, nil
}

func (c Conn) upgrade(addr string) error {
	if err := c.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return err
	}
	fmt.Fprintf(c, "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n", addr)
	var head []byte
	for !strings.HasSuffix(string(head), "\r\n\r\n") {
		var b [1]byte
		if _, err := io.ReadFull(c, b[:]); err != nil {
			return err
		}
		head = append(head, b[0])
	}
	if !strings.HasPrefix(string(head), "HTTP/1.1 101") {
		return errors.New(string(head))
	}
	return nil
}

// Push sends a message to a topic. A mask of zeros is one.
func (c Conn) Push(topic, event, payload string) error {
	text := fmt.Sprintf(`["1","1",%q,%q,%s]`, topic, event, payload)
	_, err := c.Write(wsframe.AppendMasked(nil, wsframe.Text, [4]byte{}, []byte(text)))
	return err
}

// Skip takes one message.
func (c Conn) Skip() error {
	for {
		h, err := wsframe.Read(c)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, c, int64(h.Length)); err != nil {
			return err
		}
		if h.Op == wsframe.Text { // and no ping
			return nil
		}
	}
}
