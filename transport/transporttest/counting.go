package transporttest

import (
	"os"
	"runtime"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

var counting = []check{
	{
		name: "counts/stats",
		law:  "Stats add up: each connection counts once as opened and once by the reason of its end, and so do its messages and bytes",
		body: stats,
	},
}

func stats(s *suite) {
	s.start(setup{})
	const n = 4
	var bytes uint64
	for i := range n {
		c, p := s.connect()
		c.send(numbered(i), numbered(i))
		p.sendAll(numbered(i))
		c.want(numbered(i))
		p.received(2)
		bytes += uint64(len(numbered(i)))
		if i%2 == 0 {
			p.close(4001)
			c.closed(4001)
		} else {
			c.Cut()
			if !s.Orderly {
				p.close(4001)
			}
		}
		p.end()
	}
	s.gone()
	got := s.stats()
	ends := got.ClientClosed + got.Lost + got.IdleTimeouts + got.SlowConsumers + got.ProtocolErrors + got.InvalidData + got.PolicyErrors + got.TooBig + got.ServerClosed
	if got.Opened != n || ends != n || got.Closing != 0 || got.ServerClosed < n/2 {
		s.Errorf("after %d connections, of which the server has closed %d, Stats are %+v", n, n/2, got)
	}
	if got.MessagesIn != 2*n || got.BytesIn < 2*bytes || got.MessagesOut < n || got.MessagesOut > 2*n || got.BytesOut < bytes || got.Writes < n || got.Writes > 2*n {
		s.Errorf("after %d messages of %d bytes in, and half as much out, Stats are %+v", 2*n, 2*bytes, got)
	}
}

var leaking = []check{
	{
		name:  "leaks/all ends",
		alone: true,
		law:   "nothing is left of a connection, however it ended: no goroutine and no descriptor",
		body:  leaks,
	},
}

func leaks(s *suite) {
	s.start(setup{link: transport.LinkOptions{MaxMessage: 1 << 10}})
	c, p := s.connect() // pools and the like are made once
	s.alive(c, p)
	goroutines, descriptors := runtime.NumGoroutine(), openFiles()
	for i := range sized(50) {
		c, p := s.connect()
		switch i % 5 {
		case 0:
			c.Close()
		case 1:
			c.Cut()
		case 2:
			p.close(4001)
		case 3:
			_ = c.Send(wire.Text, []byte("[\"\xff\"]"))
		case 4:
			_ = c.Send(wire.Text, make([]byte, 2<<10))
		}
		if i%5 == 2 || s.Orderly {
			p.end()
		} else { // the client may have ended nothing
			p.close(4001)
		}
		c.Cut()
	}
	s.until("all but one connection are over", func() bool { return s.stats().Open <= 1 })
	s.until("goroutines are as many as before", func() bool { return runtime.NumGoroutine() <= goroutines+5 || s.bubble })
	s.until("descriptors are as many as before", func() bool { return openFiles() <= descriptors+5 || s.bubble })
	s.alive(c, p)
}

// openFiles returns the number of descriptors of the process, if the system tells.
func openFiles() int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(files)
}
