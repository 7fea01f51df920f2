package memory

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/wsframe"
)

const topic = "room:all"

// conns are clients of one server.
type conns struct {
	addr string
	all  []conn
}

// join adds one.
func (c *conns) join() error {
	nc, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	one := conn{nc}
	c.all = append(c.all, one)
	return one.open(c.addr)
}

// traffic is an echo on each, and a broadcast to all.
func (c *conns) traffic() error {
	for _, one := range c.all {
		if err := one.push("echo", `{"n":1}`); err != nil {
			return err
		}
		if err := one.skip(); err != nil {
			return err
		}
	}
	if err := c.all[0].push("broadcast", `{"text":"`+strings.Repeat("x", 80)+`"}`); err != nil {
		return err
	}
	for _, one := range c.all {
		if err := one.skip(); err != nil {
			return err
		}
	}
	return nil
}

func (c *conns) close() {
	for _, one := range c.all {
		one.Close()
	}
}

// conn is a client without buffers, so that a process can hold many.
type conn struct{ net.Conn }

// open upgrades the connection and joins the topic.
func (c conn) open(addr string) error {
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
	if err := c.push("phx_join", "{}"); err != nil {
		return err
	}
	return c.skip()
}

// push sends a message to the topic. A mask of zeros is one.
func (c conn) push(event, payload string) error {
	text := fmt.Sprintf(`["1","1",%q,%q,%s]`, topic, event, payload)
	_, err := c.Write(wsframe.AppendMasked(nil, wsframe.Text, [4]byte{}, []byte(text)))
	return err
}

// skip takes one message.
func (c conn) skip() error {
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
