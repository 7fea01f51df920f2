package cluster

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between a node and its broker, and is a bad network.
type proxy struct {
	addr   string
	target string

	mu     sync.Mutex
	links  map[*proxied]bool
	dark   bool          // connections that are made now are mute
	delay  time.Duration // of each direction
	budget int           // bytes until a connection is cut; 0 for no end
	cuts   int
	down   int64 // bytes that came from the target and were passed on
	closed bool
	tasks  sync.WaitGroup
}

// proxied is one connection.
type proxied struct {
	near, far net.Conn
	mute      bool // guarded by the proxy: nothing gets through any more, nothing tells
}

// piece is what was read, and when it may go on.
type piece struct {
	data []byte
	due  time.Time
}

// startProxy listens until the end of the test.
func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: ln.Addr().String(), target: target, links: make(map[*proxied]bool)}
	t.Cleanup(func() {
		_ = ln.Close()
		p.mu.Lock()
		p.closed = true
		for l := range p.links {
			l.close()
		}
		p.mu.Unlock()
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

func (l *proxied) close() {
	for _, c := range []net.Conn{l.near, l.far} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // whoever writes into it learns at once
		}
		_ = c.Close()
	}
}

// silence makes the connections of this moment half-open: both directions are lost, and
// neither end is told. Those that are made later are sound.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.mute = true
	}
}

// darken does the same to those that are made until lighten.
func (p *proxy) darken() {
	p.silence()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dark = true
}

func (p *proxy) lighten() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dark = false
}

// slow delays what comes from now on.
func (p *proxy) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// cutAfter cuts a connection once so many more bytes have come from the target, wherever
// in a frame that is.
func (p *proxy) cutAfter(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget = bytes
}

func (p *proxy) cutsSoFar() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// received is how many bytes came from the target.
func (p *proxy) received() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

func (p *proxy) serve(near net.Conn) {
	far, err := net.DialTimeout("tcp", p.target, patience)
	if err != nil {
		_ = near.Close()
		return
	}
	l := &proxied{near: near, far: far}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		l.close()
		return
	}
	l.mute = p.dark
	p.links[l] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pump(l, near, far, false) })
	both.Go(func() { p.pump(l, far, near, true) })
	both.Wait()
	l.close()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

var errCut = errors.New("cut")

// pump carries one direction. One that is mute reads on: nobody shall notice.
func (p *proxy) pump(l *proxied, from, to net.Conn, down bool) {
	queue := make(chan piece, 1024)
	var writer sync.WaitGroup
	writer.Go(func() {
		for q := range queue {
			if wait := time.Until(q.due); wait > 0 {
				time.Sleep(wait)
			}
			if _, err := to.Write(q.data); err != nil {
				_ = from.Close()
			}
		}
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			data, due, cut := p.passes(l, buf[:n], down)
			if len(data) > 0 {
				queue <- piece{append([]byte(nil), data...), due}
			}
			if cut {
				err = errCut
			}
		}
		if err != nil {
			break
		}
	}
	close(queue)
	writer.Wait()
	p.mu.Lock()
	mute := l.mute && !p.closed
	p.mu.Unlock()
	if !mute {
		l.close()
	}
}

// passes says what of some bytes goes on, when, and whether the connection is cut then.
func (p *proxy) passes(l *proxied, data []byte, down bool) (rest []byte, due time.Time, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.mute {
		return nil, due, false
	}
	if down {
		if p.budget > 0 {
			if len(data) >= p.budget {
				data, cut = data[:p.budget], true
				p.budget = 0
				p.cuts++
			} else {
				p.budget -= len(data)
			}
		}
		p.down += int64(len(data))
	}
	return data, time.Now().Add(p.delay), cut
}
