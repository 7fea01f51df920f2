package transporttest

import (
	"strings"
	"time"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// incoming are the checks of messages of clients.
var incoming = []check{
	{
		name: "in/kinds",
		law:  "text and binary messages arrive as they were sent, whatever their length",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			all := []message{
				{wire.Text, []byte(text("text"))}, {wire.Binary, []byte("\x00\xff\n\r binary")}, {wire.Text, []byte(text(`ÄÖ\u2028`))},
				{wire.Binary, []byte{0}}, {wire.Text, []byte("[" + strings.Repeat(" ", 70_000) + "]")},
			}
			for i, m := range all {
				if err := c.Send(m.op, m.data); err != nil {
					s.Fatalf("a client cannot send message %d: %v", i, err)
				}
			}
			for i, m := range p.received(len(all)) {
				if i >= len(all) || m.op != all[i].op || string(m.data) != string(all[i].data) {
					s.Fatalf("message %d was received as %s", i, shown(m.op, m.data))
				}
			}
		},
	},
	{
		name: "in/empty",
		law:  "an empty message is a message",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			if err := c.Send(wire.Binary, nil); err != nil {
				s.Fatalf("a client cannot send: %v", err)
			}
			c.send(text("last"))
			if got := p.received(2); len(got[0].data) != 0 || string(got[1].data) != text("last") {
				s.Errorf("it was received as %s", shown(got[0].op, got[0].data))
			}
		},
	},
	{
		name: "in/largest",
		law:  "a message of MaxMessage bytes is received, and one more byte closes the connection with 1009; Read returns a *ClosedError for a long message before it has read all of it",
		body: func(s *suite) {
			const most = 4 << 10
			s.start(setup{link: transport.LinkOptions{MaxMessage: most}})
			c, p := s.connect()
			large := func(n int) string { return "[" + strings.Repeat(" ", n-2) + "]" }
			c.send(large(most))
			p.want(large(most))
			_ = c.Send(wire.Text, []byte(large(most+1)))
			p.endsWith(&transport.ClosedError{Code: transport.CloseTooBig})
			c.closed(transport.CloseTooBig)
			if n := p.count(); n != 1 {
				s.Errorf("%d messages were received, want 1", n)
			}
			if n := s.stats().TooBig; n != 1 {
				s.Errorf("Stats.TooBig is %d, want 1", n)
			}
			c, p = s.connect()
			_ = c.Send(wire.Text, []byte(large(16*most)))
			p.endsWith(&transport.ClosedError{Code: transport.CloseTooBig})
			c.Cut()
			// Some links count bytes of an encoding, which are more than those of the message.
			if s.watch != nil && s.watch.largest() > 2*most {
				s.Errorf("Read returned a message of %d bytes, with a MaxMessage of %d", s.watch.largest(), most)
			}
		},
	},
	{
		name: "in/not UTF-8",
		law:  "text that is not UTF-8 closes the connection with 1007",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			_ = c.Send(wire.Text, []byte("[\"\xff\"]"))
			p.endsWith(&transport.ClosedError{Code: transport.CloseInvalidData})
			c.closed(transport.CloseInvalidData)
			if n := s.stats().InvalidData; n != 1 {
				s.Errorf("Stats.InvalidData is %d, want 1", n)
			}
		},
	},
	{
		name: "in/owned",
		law:  "a message that Read returned is bennu's: the next Read does not use its memory again",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			texts := numberedAll(sized(100))
			c.send(texts...)
			p.received(len(texts))
			c.send(text("last"))
			p.want(append(texts, text("last"))...)
		},
	},
	{
		name: "in/order",
		law:  "messages are received in the order in which they were sent, each once, one at a time",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			texts := numberedAll(sized(1000))
			for i, t := range texts {
				op := wire.Text
				if i%3 == 0 {
					op = wire.Binary
				}
				if err := c.Send(op, []byte(t)); err != nil {
					s.Fatalf("a client cannot send: %v", err)
				}
			}
			for i, m := range p.received(len(texts)) {
				if i >= len(texts) || string(m.data) != texts[i] || (m.op == wire.Binary) != (i%3 == 0) {
					s.Fatalf("message %d was received as %s", i, shown(m.op, m.data))
				}
			}
		},
	},
	{
		name: "in/held",
		law:  "a connection that the receiver holds back is not read from, and that time does not count as idle; it goes on at once",
		body: held,
	},
}

// idleTime is the idle timeout of checks: long beside the pauses of a busy machine, where time
// passes.
func (s *suite) idleTime() time.Duration {
	if s.bubble {
		return time.Minute
	}
	return time.Second
}

func held(s *suite) {
	resume := make(chan struct{})
	s.start(setup{
		link:  transport.LinkOptions{IdleTimeout: s.idleTime()},
		hooks: hooks{receive: func(p *peer, _ wire.Opcode, _ []byte) <-chan struct{} { return resume }},
	})
	c, p := s.connect()
	sent := make(chan struct{})
	go func() { // some transports answer a message only when it is handled
		defer close(sent)
		for _, t := range numberedAll(3) {
			if err := c.Send(wire.Text, []byte(t)); err != nil {
				s.Errorf("a client that is held back cannot send: %v", err)
			}
		}
	}()
	p.received(1)
	time.Sleep(s.idleTime() * 3 / 2)
	if n := p.count(); n != 1 {
		s.Errorf("%d messages were received while the connection was held back, want 1", n)
	}
	if !p.isOpen() {
		s.Errorf("a connection that was held back was closed: %v", p.end())
	}
	close(resume)
	<-sent
	p.want(numberedAll(3)...)
}
