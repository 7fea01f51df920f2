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
		body: staysAlive,
	},
}

// staysAlive has a client send for twice the IdleTimeout. On a machine that is busy the server may see a
// pause that the client has not made, so several clients try.
func staysAlive(s *suite) {
	s.start(setup{link: transport.LinkOptions{IdleTimeout: s.idleTime()}})
	const clients = 5
	var end error
	for range clients {
		c, p := s.connect()
		for i := 0; i < 8 && p.isOpen(); i++ {
			time.Sleep(s.idleTime() / 4)
			_ = c.Send(wire.Text, []byte(numbered(i)))
		}
		if p.isOpen() {
			return
		}
		end = p.end()
	}
	s.Errorf("each of %d clients that send was closed: %v", clients, end)
}
