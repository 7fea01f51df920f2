package transporttest

import (
	"time"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

var idling = []check{
	{
		name: "idle/closed",
		law:  "a client from which nothing comes is closed with 1002 after IdleTimeout",
		body: func(s *suite) {
			s.start(setup{link: transport.LinkOptions{IdleTimeout: s.idleTime()}})
			c, p := s.connect()
			began := time.Now()
			p.endsWith(transport.ErrIdle)
			if took := time.Since(began); s.bubble && (took < s.idleTime() || took > s.idleTime()+time.Second) {
				s.Errorf("it was closed after %v, with an IdleTimeout of %v", took, s.idleTime())
			}
			c.closed(transport.CloseProtocolError)
			if n := s.stats().IdleTimeouts; n != 1 {
				s.Errorf("Stats.IdleTimeouts is %d, want 1", n)
			}
		},
	},
	{
		name: "idle/alive",
		law:  "each message of a client is a sign of life, from which IdleTimeout counts anew",
		body: func(s *suite) {
			s.start(setup{link: transport.LinkOptions{IdleTimeout: s.idleTime()}})
			for late := true; late; {
				late = false
				c, p := s.connect()
				for i := range 8 {
					began := time.Now()
					time.Sleep(s.idleTime() / 4)
					late = late || time.Since(began) > s.idleTime()/2 // the machine is slow
					if !p.isOpen() {
						break
					}
					_ = c.Send(wire.Text, []byte(numbered(i)))
				}
				if !p.isOpen() && !late {
					s.Errorf("a client that sends was closed: %v", p.end())
				}
			}
		},
	},
}
