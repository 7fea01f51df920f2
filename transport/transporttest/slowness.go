package transporttest

import (
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

var slowness = []check{
	{
		name: "slow/bytes",
		law:  "a client that takes nothing has no more waiting for it than MaxQueueBytes, beside the buffers of the system; the next frame closes with 1013, and who sends never waits",
		only: stalling,
		body: func(s *suite) {
			s.overflow(transport.LinkOptions{MaxMessage: 32 << 10, MaxQueueBytes: 64 << 10}, 16<<10)
		},
	},
	{
		name: "slow/messages",
		law:  "a client that takes nothing has no more frames waiting for it than MaxQueueMessages, beside the buffers of the system; the next frame closes with 1013, and who sends never waits",
		only: stalling,
		body: func(s *suite) {
			s.overflow(transport.LinkOptions{MaxQueueMessages: 16, MaxQueueBytes: bennu.Unlimited}, 16<<10)
		},
	},
	{
		name: "slow/stalled",
		law:  "a client that takes nothing within the write timeout is cut: Write returns by its deadline, and Close(0) makes it return",
		only: stalling,
		body: func(s *suite) {
			timeout := time.Second / 4
			if s.bubble {
				timeout = 10 * time.Second
			}
			s.start(setup{link: transport.LinkOptions{WriteTimeout: timeout, MaxQueueBytes: bennu.Unlimited, MaxQueueMessages: bennu.Unlimited}})
			c, p := s.connect()
			began := time.Now()
			s.stuff(c, p)
			p.endsWith(transport.ErrSlowConsumer)
			if took := time.Since(began); s.bubble && (took < timeout || took > timeout+time.Second) {
				s.Errorf("the client was cut after %v, with a WriteTimeout of %v", took, timeout)
			}
			s.gone()
		},
	},
	{
		name: "slow/others",
		law:  "a client that takes nothing delays no other",
		only: stalling,
		body: func(s *suite) {
			s.start(setup{link: transport.LinkOptions{MaxQueueBytes: bennu.Unlimited, MaxQueueMessages: bennu.Unlimited, WriteTimeout: bennu.Unlimited}})
			slow, p := s.connect()
			c, other := s.connect()
			s.stuff(slow, p)
			for range 100 {
				s.alive(c, other)
			}
			if !p.isOpen() {
				s.Errorf("the client that takes nothing was closed without a limit: %v", p.end())
			}
		},
	},
}

// stuffed is more bytes than any system buffers for a connection.
const stuffed = 64 << 20

// overflow sends to a client that takes nothing until its connection is closed.
func (s *suite) overflow(o transport.LinkOptions, size int) {
	s.Helper()
	s.start(setup{link: o})
	c, p := s.connect()
	c.Stall(true)
	data := []byte(large("a", size))
	n := 0
	for p.sendNow(wire.Text, data) {
		if n += size; n > stuffed {
			s.Fatalf("%d MiB were taken for a client that takes nothing", n>>20)
		}
		p.rest() // so that it is not just faster than its writer
	}
	p.endsWith(transport.ErrSlowConsumer)
	if p.send(wire.Text, data) {
		s.Errorf("a frame was taken after the end")
	}
	c.Stall(false)
	if s.CloseCodes {
		c.rest()
	}
	// On a busy machine the client may have come too late for the code.
	if code, ok := c.Code(); s.CloseCodes && (ok || s.bubble) && code != transport.CloseTryAgainLater {
		s.Errorf("a slow client got the close code %d (%t), want 1013", code, ok)
	}
	if n := s.stats().SlowConsumers; n != 1 {
		s.Errorf("Stats.SlowConsumers is %d, want 1", n)
	}
	s.gone()
}

// stuff fills all buffers on the way to a client that takes nothing.
func (s *suite) stuff(c *client, p *peer) {
	s.Helper()
	c.Stall(true)
	data := []byte(large("a", 64<<10))
	for range stuffed / len(data) / 4 {
		if !p.send(wire.Text, data) {
			return // it was cut meanwhile
		}
	}
}

// gone waits until no connection is left.
func (s *suite) gone() {
	s.Helper()
	s.until("Serve returns: Close(0) ends a connection at once, and makes Read and Write return", func() bool { return s.stats().Open == 0 })
}

// sendNow is send, and checks that it takes no time.
func (p *peer) sendNow(op wire.Opcode, data []byte) bool {
	began := time.Now()
	ok := p.send(op, data)
	if took := time.Since(began); p.s.bubble && took > 0 {
		p.s.Errorf("sending a frame took %v", took)
	}
	return ok
}

// rest gives a connection a moment to write its queue.
func (p *peer) rest() {
	low := p.conn.(ability.Offerer).Low()
	if low == nil {
		return
	}
	select {
	case <-low:
	case <-time.After(50 * time.Millisecond):
	}
}
