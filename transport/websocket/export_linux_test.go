//go:build !noepoll

package websocket

// Polled counts the connections that the server's pollers know, and the pollers that
// are open.
func (s *Server) Polled() (conns, open int) {
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
