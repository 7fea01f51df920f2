package transporttest

import (
	"runtime"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// bursts are the ways in which a method can fail to return.
var bursts = map[string]func(){
	"panic":          func() { panic("the bubble bursts") },
	"runtime.Goexit": runtime.Goexit,
}

var panicking = []check{
	{
		name: "panics/receiver",
		law:  "a panic in the receiver, and runtime.Goexit, end one connection, with 1011, and neither the process nor another connection",
		body: func(s *suite) {
			var method cell[string]
			var burst cell[func()]
			in := func(name string) {
				if method.get() == name {
					method.set("")
					burst.get()()
				}
			}
			s.start(setup{hooks: hooks{
				opened:  func(*peer) { in("Opened") },
				receive: func(*peer, wire.Opcode, []byte) <-chan struct{} { in("Receive"); return nil },
				closed:  func(*peer, error) { in("Closed") },
			}})
			c, p := s.connect()
			for name, f := range bursts {
				for _, m := range []string{"Opened", "Receive", "Closed"} {
					burst.set(f)
					method.set(m)
					s.burstReceiver(m, name)
				}
			}
			s.alive(c, p)
		},
	},
	{
		name: "panics/link",
		law:  "a panic in a method of a Link, and runtime.Goexit, cut one connection, and neither the process nor another connection",
		only: ofLinks,
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			for name, f := range bursts {
				for _, method := range []string{"Read", "Write", "Close", "Close(0)"} {
					s.burstLink(method, name, f)
				}
			}
			s.alive(c, p)
			c.Close()
			s.gone()
		},
	},
}

// burstReceiver makes a method of the receiver of a new connection fail.
func (s *suite) burstReceiver(method, how string) {
	s.Helper()
	c, err := s.dial(Target{})
	if err != nil {
		if method == "Opened" { // a transport may refuse a client whose connection broke so early
			<-s.peers
			return
		}
		s.Fatalf("%s in %s: a client cannot connect: %v", how, method, err)
	}
	p := s.accepted()
	if method == "Receive" {
		_ = c.Send(wire.Text, []byte(text("a")))
	}
	if method == "Closed" {
		p.close(4001)
		p.end()
		c.closed(4001)
		return
	}
	p.endsWith(&transport.ClosedError{Code: transport.CloseInternalError})
	c.closed(transport.CloseInternalError)
}

// burstLink makes a method of the Link of a new connection fail.
func (s *suite) burstLink(method, how string, f func()) {
	s.Helper()
	c, p := s.connect()
	s.watch.last().breaks(method, f)
	switch method {
	case "Read":
		_ = c.Send(wire.Text, []byte(text("a")))
		p.endsWith(transport.ErrPanic)
	case "Write":
		p.send(wire.Text, []byte(text("a")))
		p.endsWith(transport.ErrPanic)
	default:
		p.close(4001)
		p.endsWith(&transport.ClosedError{Code: 4001})
	}
	if method == "Close(0)" {
		c.Close() // nobody else does
		return
	}
	if _, ok := c.Code(); c.rest() > 0 || ok && method != "Close(0)" {
		s.Errorf("%s in %s: a client got something after that", how, method)
	}
}
