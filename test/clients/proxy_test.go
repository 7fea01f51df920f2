package clients

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// A proxy passes TCP connections on, and can cut them all as a failing network
// would: neither side is told why.
type proxy struct {
	addr   string
	target string
	holds  func(*http.Request) bool

	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// startProxy starts a proxy. A connection whose first request it holds, if holds is
// not nil, stays open and is never answered.
func startProxy(t *testing.T, target string, holds func(*http.Request) bool) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: ln.Addr().String(), target: target, holds: holds, conns: map[net.Conn]bool{}}
	p.wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.pass(client) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) pass(client net.Conn) {
	defer p.track(client)()
	requests := io.Reader(client)
	if p.holds != nil {
		var seen bytes.Buffer
		first, err := http.ReadRequest(bufio.NewReader(io.TeeReader(client, &seen)))
		if err != nil {
			return
		}
		if p.holds(first) {
			io.Copy(io.Discard, client)
			return
		}
		requests = io.MultiReader(&seen, client)
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.track(server)()
	p.wg.Go(func() {
		io.Copy(server, requests)
		server.Close()
	})
	io.Copy(client, server)
}

// track lets cut find a connection, until it is given up and closed.
func (p *proxy) track(c net.Conn) (done func()) {
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	return func() {
		c.Close()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}
}

func isHandshake(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }

// cut resets every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
}
