package websocket_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

// sink counts what its connections get. The peers of a benchmark read with
// large buffers, so that most of what is measured is the sending side.
type sink struct {
	got  atomic.Int64
	want atomic.Int64
	full chan struct{}
}

func newSink() *sink { return &sink{full: make(chan struct{}, 1)} }

func (s *sink) drain(nc net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := nc.Read(buf)
		if n > 0 && s.got.Add(int64(n)) == s.want.Load() {
			s.full <- struct{}{}
		}
		if err != nil {
			return
		}
	}
}

// expect adds n bytes to what wait waits for. It must be called before they are sent.
func (s *sink) expect(n int) { s.want.Add(int64(n)) }

func (s *sink) wait() { <-s.full }

// connectMany makes n connections whose peers drain into a sink.
func connectMany(b *testing.B, s *websocket.Server, n int) ([]seam.Conn, []net.Conn, *sink) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	sk := newSink()
	var wg sync.WaitGroup
	var conns []seam.Conn
	var raw, peers []net.Conn
	for range n {
		pc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		sc, err := ln.Accept()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { pc.Close(); sc.Close() })
		wg.Go(func() { sk.drain(pc) })
		raw, peers = append(raw, sc), append(peers, pc)
		if s != nil {
			c, err := s.NewConn(sc, newReceiver(nil), nil)
			if err != nil {
				b.Fatal(err)
			}
			conns = append(conns, c)
		}
	}
	b.Cleanup(func() {
		for _, c := range peers {
			c.Close()
		}
		wg.Wait()
	})
	return conns, raw, sk
}

// BenchmarkSend sends frames of 100 bytes on one connection and waits for the peer
// after each so many.
func BenchmarkSend(b *testing.B) {
	for _, ahead := range []int{1, 20, 500} {
		b.Run(fmt.Sprintf("ahead%d", ahead), func(b *testing.B) {
			conns, _, sk := connectMany(b, newServer(b), 1)
			f := numbered(1, 100)
			b.ReportAllocs()
			for n := 0; n < b.N; n += ahead {
				sk.expect(ahead * len(f.Bytes()))
				for range ahead {
					conns[0].Send(f)
				}
				sk.wait()
			}
		})
	}
}

// BenchmarkFanout sends one frame of 100 bytes to 1,000 connections, and waits for all of
// them after each so many. An operation is one delivery. The floor is the same
// with one plain write for each, by one goroutine.
func BenchmarkFanout(b *testing.B) {
	const subscribers = 1000
	f := numbered(1, 100)
	for _, ahead := range []int{1, 20} {
		b.Run(fmt.Sprintf("ahead%d", ahead), func(b *testing.B) {
			conns, _, sk := connectMany(b, newServer(b), subscribers)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += ahead * subscribers {
				sk.expect(ahead * subscribers * len(f.Bytes()))
				for range ahead {
					for _, c := range conns {
						c.Send(f)
					}
				}
				sk.wait()
			}
		})
	}
	b.Run("floor", func(b *testing.B) {
		_, raw, sk := connectMany(b, nil, subscribers)
		b.ReportAllocs()
		b.ResetTimer()
		for n := 0; n < b.N; n += subscribers {
			sk.expect(subscribers * len(f.Bytes()))
			for _, c := range raw {
				c.Write(f.Bytes())
			}
			sk.wait()
		}
	})
}

// BenchmarkEcho has one client that keeps so many messages of 100 bytes
// outstanding. The floor reads and writes the same bytes on a plain connection.
func BenchmarkEcho(b *testing.B) {
	message := text(strings.Repeat("x", 100)).bytes()
	answer := len(seal(wire.Text, []byte(strings.Repeat("x", 100))).Bytes())
	run := func(b *testing.B, nc net.Conn, out int) {
		in := []byte(strings.Repeat(string(message), out))
		buf := make([]byte, answer*out)
		b.ReportAllocs()
		b.ResetTimer()
		for n := 0; n < b.N; n += out {
			if _, err := nc.Write(in); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(nc, buf); err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, newServer := range map[string]serverMaker{"epoll": newServer, "parked": newParkingServer} {
		for _, out := range []int{1, 4, 20} {
			b.Run(fmt.Sprintf("%s/outstanding%d", name, out), func(b *testing.B) {
				_, c := serve(b, newServer(b), newReceiver(echo), nil)
				run(b, c.nc, out)
			})
		}
	}
	b.Run("floor", func(b *testing.B) {
		sc, pc := tcpPair(b)
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 16<<10)
			for {
				if _, err := sc.Read(buf); err != nil {
					return
				}
				if _, err := sc.Write(buf[:answer]); err != nil {
					return
				}
			}
		}()
		run(b, pc, 1)
		pc.Close()
		<-done
		sc.Close()
	})
}

// BenchmarkIdleMemory reports the heap and stacks that an idle connection takes
// after a whole handshake and an echo, with the client's end of it in the same process.
func BenchmarkIdleMemory(b *testing.B) {
	b.Run("epoll", func(b *testing.B) { benchmarkIdleMemory(b, newServer) })
	b.Run("parked", func(b *testing.B) { benchmarkIdleMemory(b, newParkingServer) })
}

func benchmarkIdleMemory(b *testing.B, newServer serverMaker) {
	const conns = 1000
	s := newServer(b)
	addr := listen(b, s, acceptFunc(acceptEcho), nil)
	inUse := func() uint64 {
		for range 3 {
			runtime.GC()
			time.Sleep(10 * time.Millisecond)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := inUse()
	var clients []*client
	for range conns {
		c := upgrade(b, addr)
		c.send(text("a"))
		c.expect(wantText("a"))
		c.br = nil
		clients = append(clients, c)
	}
	b.ReportMetric(float64(inUse()-before)/conns, "B/conn")
	b.ReportMetric(0, "ns/op")
	runtime.KeepAlive(clients)
}
