package transporttest

import (
	"fmt"
	"sync"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

var closing = []check{
	{
		name: "close/codes",
		law:  "Close tells the client the code, and that nothing follows",
		body: func(s *suite) {
			s.start(setup{})
			codes := []transport.CloseCode{
				transport.CloseNormal, transport.CloseGoingAway, transport.CloseProtocolError, transport.CloseInvalidData, transport.ClosePolicy,
				transport.CloseTooBig, transport.CloseInternalError, transport.CloseRestart, transport.CloseTryAgainLater, 4001,
			}
			if !s.CloseCodes {
				codes = codes[:1]
			}
			for _, code := range codes {
				c, p := s.connect()
				p.close(code)
				p.endsWith(&transport.ClosedError{Code: code})
				c.closed(code)
			}
			s.gone()
		},
	},
	{
		name: "close/queued",
		law:  "the queue is written before the close code",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			texts := numberedAll(50)
			p.sendAll(texts...)
			p.close(4001)
			if p.send(wire.Text, []byte(text("late"))) {
				s.Errorf("a frame was taken after Close")
			}
			c.want(texts...)
			c.closed(4001)
		},
	},
	{
		name: "close/twice",
		law:  "only the first Close of a connection has an effect",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			p.close(4001)
			p.close(transport.CloseGoingAway)
			p.endsWith(&transport.ClosedError{Code: 4001})
			p.close(transport.CloseGoingAway)
			c.closed(4001)
		},
	},
	{
		name: "close/anywhere",
		law:  "a connection may be closed while it is opened, from within Receive and under a lock: Close never waits and never calls back",
		body: func(s *suite) {
			var mu sync.Mutex
			shut := func(p *peer, code transport.CloseCode) {
				mu.Lock()
				defer mu.Unlock()
				p.close(code)
			}
			var once sync.Once
			s.start(setup{hooks: hooks{
				opened: func(p *peer) { once.Do(func() { shut(p, 4001) }) },
				receive: func(p *peer, _ wire.Opcode, _ []byte) <-chan struct{} {
					shut(p, 4002)
					return nil
				},
				closed: func(*peer, error) { mu.Lock(); defer mu.Unlock() },
			}})
			// A transport may refuse a client whose connection was closed so early.
			if c, err := s.dial(Target{}); err == nil {
				s.accepted().endsWith(&transport.ClosedError{Code: 4001})
				c.closed(4001)
			}
			for len(s.peers) > 0 {
				<-s.peers
			}
			c, p := s.connect()
			_ = c.Send(wire.Text, []byte(text("a")))
			p.endsWith(&transport.ClosedError{Code: 4002})
			c.closed(4002)
		},
	},
	{
		name: "close/by client",
		law:  "a client that closes in order is told from one that is lost: the reason is ErrClientClosed",
		only: orderly,
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			c.send(text("last"))
			c.Close()
			p.endsWith(transport.ErrClientClosed)
			p.want(text("last"))
			s.gone()
		},
	},
	{
		name: "close/cut",
		law:  "a client that is lost is noticed: the reason is ErrLost",
		only: orderly,
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			s.alive(c, p)
			c.Cut()
			p.endsWith(transport.ErrLost)
			s.gone()
		},
	},
	{
		name: "close/cut within a message",
		law:  "a message that did not come whole is not received, and its client is lost: the reason is ErrLost",
		only: orderly,
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			cutter, ok := c.Client.(Cutter)
			if !ok {
				s.Skip("not for this transport: its client cannot be cut within a message")
			}
			c.send(text("whole"))
			p.received(1)
			if err := cutter.CutWithin(wire.Text, []byte(fmt.Sprint(numberedAll(100)))); err != nil {
				s.Fatalf("a client cannot send: %v", err)
			}
			p.endsWith(transport.ErrLost)
			p.want(text("whole"))
			s.gone()
		},
	},
	{
		name: "close/half",
		law:  "a client that closes its own side alone has ended the connection; nothing of that is left",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			half, ok := c.Client.(HalfCloser)
			if !ok {
				s.Skip("not for this transport: its client cannot close one side alone")
			}
			if err := half.CloseWrite(); err != nil {
				s.Fatalf("a client cannot close its side: %v", err)
			}
			p.endsWith(transport.ErrClientClosed, transport.ErrLost)
			c.rest()
			s.gone()
		},
	},
	{
		name: "close/client stays",
		law:  "a client that does not close its side is cut after CloseLinger",
		only: stalling,
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			c.Stall(true)
			p.close(4001)
			p.end()
			s.gone()
		},
	},
}
