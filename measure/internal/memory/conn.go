package memory

import (
	"strings"

	"github.com/bennu-go/bennu/measure/internal/plain"
)

const topic = "room:all"

// conns are clients of one server.
type conns struct {
	addr string
	all  []plain.Conn
}

// join adds one.
func (c *conns) join() error {
	one, err := plain.Dial(c.addr)
	if err != nil {
		return err
	}
	c.all = append(c.all, one)
	if err := one.Push(topic, "phx_join", "{}"); err != nil {
		return err
	}
	return one.Skip()
}

// traffic is an echo on each, and a broadcast to all.
func (c *conns) traffic() error {
	for _, one := range c.all {
		if err := one.Push(topic, "echo", `{"n":1}`); err != nil {
			return err
		}
		if err := one.Skip(); err != nil {
			return err
		}
	}
	if err := c.all[0].Push(topic, "broadcast", `{"text":"`+strings.Repeat("x", 80)+`"}`); err != nil {
		return err
	}
	for _, one := range c.all {
		if err := one.Skip(); err != nil {
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
