package link

import (
	"bytes"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// writeOut calls Link.Write. The first batch of a connection is a copy, which the link must not
// change: so one that writes into frames is found before other connections see it.
func (c *conn) writeOut(frames []transport.Frame, deadline time.Time) error {
	if c.wroteCopy {
		return c.link.Write(frames, deadline)
	}
	c.wroteCopy = true
	copies := make([]transport.Frame, len(frames))
	for i, f := range frames {
		copies[i] = transport.NewFrame(f.Opcode(), f.Payload())
	}
	err := c.link.Write(copies, deadline)
	for i, f := range frames {
		if !bytes.Equal(copies[i].Bytes(), f.Bytes()) {
			c.misused("Write of a Link changed a frame, which belongs to all connections that get it; copy it before you change it")
			return transport.ErrLost
		}
	}
	return err
}
