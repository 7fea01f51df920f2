//go:build !noepoll

package websocket

import "github.com/bennu-go/bennu/internal/seam"

// Parked reports whether a connection has opened, and nothing but its poller has to do with it.
func Parked(tc seam.Conn) bool {
	c := tc.(*conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.poll.reader == readerNone && c.poll.writable
}

// Polled counts the connections that the server's pollers know, and the pollers that
// are open.
func (s *server) Polled() (conns, open int) {
	for i := range s.pollers.list {
		p := &s.pollers.list[i]
		p.mu.Lock()
		for _, at := range p.slots {
			if at.conn != nil {
				conns++
			}
		}
		if p.epoll != nil {
			open++
		}
		p.mu.Unlock()
	}
	return conns, open
}
