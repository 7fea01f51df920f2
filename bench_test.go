package bennu_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
)

// hundred is a payload of 100 bytes.
var hundred = fmt.Sprintf(`{"text":"%s"}`, strings.Repeat("x", 89))

// BenchmarkEchoTCP is a push with its reply on one connection, one at a time and with
// 16 outstanding. The client's own work is in it.
func BenchmarkEchoTCP(b *testing.B) {
	for _, outstanding := range []int{1, 16} {
		b.Run(fmt.Sprintf("outstanding=%d", outstanding), func(b *testing.B) {
			s := serve(b, one("*", rooms()), nil, nil)
			c := wstest.Dial(b, s.url)
			joinRef := c.Join("a")
			var frames []byte
			for i := range outstanding {
				frames = wstest.Text(wstest.V2(joinRef, fmt.Sprint(i), "a", "echo", hundred)).Append(frames)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += outstanding {
				c.Write(frames)
				for range outstanding {
					c.Next()
				}
			}
		})
	}
}

// BenchmarkBroadcastTCP1000 broadcasts to 1,000 connections, each broadcast waited for,
// and 20 at a time.
func BenchmarkBroadcastTCP1000(b *testing.B) {
	const subscribers = 1000
	for _, ahead := range []int{1, 20} {
		b.Run(fmt.Sprintf("ahead=%d", ahead), func(b *testing.B) {
			s := serve(b, one("*", rooms()), nil, nil)
			payload := map[string]string{"text": strings.Repeat("x", 89)}
			frame := wstest.Text(wstest.Broadcast("a", "e", hundred))
			frame.Unmasked = true
			size := int64(len(frame.Append(nil)))
			var got, want atomic.Int64
			all := make(chan struct{}, 1)
			var readers sync.WaitGroup
			var clients []*wstest.Client
			for range subscribers {
				c := wstest.Dial(b, s.url)
				c.Join("a")
				clients = append(clients, c)
				_ = c.Conn().SetReadDeadline(time.Time{})
				readers.Go(func() { count(c.Conn(), &got, &want, all) })
			}
			b.Cleanup(func() {
				for _, c := range clients {
					c.Abort()
				}
				readers.Wait()
			})
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += ahead {
				got.Store(0)
				want.Store(size * subscribers * int64(ahead))
				for range ahead {
					if err := s.Broadcast("a", "e", payload); err != nil {
						b.Fatal(err)
					}
				}
				<-all
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/subscribers, "ns/delivery")
		})
	}
}

// count reads and throws away. Whoever reads the last byte that is wanted says so.
func count(nc net.Conn, got, want *atomic.Int64, all chan<- struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := nc.Read(buf)
		if err != nil {
			return
		}
		if got.Add(int64(n)) == want.Load() {
			all <- struct{}{}
		}
	}
}

// BenchmarkJoin is a join and a leave on a connection, and one on a new connection
// with its handshake.
func BenchmarkJoin(b *testing.B) {
	s := serve(b, one("*", rooms()), nil, nil)
	b.Run("channel", func(b *testing.B) {
		c := wstest.Dial(b, s.url)
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			join, _ := c.Frame("a", "phx_join", "{}")
			leave, _ := c.Frame("a", "phx_leave", "{}")
			c.Send(join, leave)
			c.Next()
			c.Next()
			c.Next()
		}
	})
	b.Run("connection", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			c := wstest.Dial(b, s.url)
			c.Join("a")
			c.Abort()
		}
	})
}
