package redistest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A Proxy stands in front of a server and can lose what comes from it.
type Proxy struct {
	Addr string

	target atomic.Pointer[string]
	mu     sync.Mutex
	conns  map[net.Conn]bool
	count  int
	tasks  sync.WaitGroup
	closed bool
}

// StartProxy listens until the test ends. Point must be called before somebody
// connects.
func StartProxy(t testing.TB) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: ln.Addr().String(), conns: make(map[net.Conn]bool)}
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.Cut()
		p.tasks.Wait()
	})
	p.tasks.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.tasks.Go(func() { p.serve(c) })
		}
	})
	return p
}

// Port is the port of Addr.
func (p *Proxy) Port() string {
	_, port, _ := net.SplitHostPort(p.Addr)
	return port
}

// Point says where connections go from now on.
func (p *Proxy) Point(addr string) { p.target.Store(&addr) }

// Swallow loses what the server sends on connections that are open now; those that
// are made later are not affected.
func (p *Proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		p.conns[c] = true
	}
}

// Connections is how many there have been.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *Proxy) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", *p.target.Load())
	if err != nil {
		return
	}
	defer s.Close()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.conns[c] = false
	p.count++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}()
	var up sync.WaitGroup
	up.Go(func() {
		defer s.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := c.Read(buf)
			if _, err := s.Write(buf[:n]); err != nil {
				return
			}
			if err != nil {
				return
			}
		}
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := s.Read(buf)
		p.mu.Lock()
		lose := p.conns[c]
		p.mu.Unlock()
		if !lose {
			if _, err := c.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	c.Close()
	up.Wait()
}
