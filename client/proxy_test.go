package client_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// cutter is a TCP proxy that cuts each connection after a random number of bytes, up to
// most. If most is 0, it cuts none.
type cutter struct {
	ln net.Listener
	to string

	mu    sync.Mutex
	rand  *rand.Rand
	most  int
	cuts  int
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

func newCutter(t *testing.T, to string, seed uint64, most int) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &cutter{ln: ln, to: to, rand: rand.New(rand.NewPCG(seed, 0)), most: most, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

func (p *cutter) close() {
	_ = p.ln.Close()
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// count returns the number of cuts so far.
func (p *cutter) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func (p *cutter) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = 0
}

// cut cuts all connections.
func (p *cutter) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *cutter) serve() {
	for {
		near, err := p.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		left := -1
		if p.most > 0 {
			left = 1 + p.rand.IntN(p.most)
		}
		b := &budget{proxy: p, left: left, near: near, far: far}
		p.conns[near], p.conns[far] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() { b.copy(near, far) })
		p.wg.Go(func() { b.copy(far, near) })
	}
}

// budget returns the number of bytes that a connection may carry in both directions; -1 means
// any number.
type budget struct {
	proxy     *cutter
	mu        sync.Mutex
	left      int
	near, far net.Conn
}

func (b *budget) copy(from, to net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		b.mu.Lock()
		cut := b.left >= 0 && n > b.left
		if cut {
			n = b.left
		}
		if b.left >= 0 {
			b.left -= n
		}
		b.mu.Unlock()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); err == nil {
				err = werr
			}
		}
		if cut {
			b.proxy.mu.Lock()
			b.proxy.cuts++
			b.proxy.mu.Unlock()
			err = io.EOF
		}
		if err != nil {
			break
		}
	}
	_ = b.near.Close()
	_ = b.far.Close()
	b.proxy.mu.Lock()
	delete(b.proxy.conns, b.near)
	delete(b.proxy.conns, b.far)
	b.proxy.mu.Unlock()
}
