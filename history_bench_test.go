package bennu_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/proc"
	"github.com/bennu-go/bennu/internal/wstest"
)

// subscriberKind is a topic without a history, one with a history, or one whose clients also ask for
// offsets.
type subscriberKind struct {
	name string
	kept bool
	join string // the payload of the join
}

var subscriberKinds = []subscriberKind{
	{"unkept", false, "{}"}, {"kept", true, "{}"}, {"offsets", true, `{"since":null}`},
}

// BenchmarkKeptTCP1000 broadcasts to 1,000 connections, each broadcast waited for, and 20 at a time. Its
// ns/delivery is CPU time of server and clients, of which all kinds have the same part.
func BenchmarkKeptTCP1000(b *testing.B) {
	for _, ahead := range []int{1, 20} {
		for _, kind := range subscriberKinds {
			b.Run(fmt.Sprintf("%s/ahead=%d", kind.name, ahead), func(b *testing.B) { benchmarkKept(b, kind, ahead) })
		}
	}
}

func benchmarkKept(b *testing.B, kind subscriberKind, ahead int) {
	const subscribers = 1000
	var topics []history.Topic
	if !kind.kept {
		topics = []history.Topic{{Pattern: "other"}}
	}
	s := serveKept(b, one("*", rooms()), nil, topics...)
	var got, want atomic.Int64
	all := make(chan struct{}, 1)
	var readers sync.WaitGroup
	var clients []*wstest.Client
	for range subscribers {
		c := wstest.Dial(b, s.url)
		c.Push("a", "phx_join", kind.join)
		c.Next()
		if kind.join != "{}" {
			c.Next()
		}
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
	payload := map[string]string{"text": strings.Repeat("x", 89)}
	// size is that of the frame of the n-th broadcast, whose offset is n.
	size := func(n int) int64 {
		text := wstest.Broadcast("a", "e", hundred)
		if kind.join != "{}" {
			text = kept(fmt.Sprint("epoch123:", n), "a", "e", hundred)
		}
		frame := wstest.Text(text)
		frame.Unmasked = true
		return int64(len(frame.Append(nil)))
	}
	if kind.kept {
		if o := s.say(b, "b", "e", nil); !strings.HasSuffix(o, ":1") {
			b.Fatalf("the first offset is %s", o)
		}
	}
	begin, _ := proc.CPU(os.Getpid())
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += ahead {
		got.Store(0)
		bytes := int64(0)
		for n := range ahead {
			bytes += size(i + n + 1)
		}
		want.Store(bytes * subscribers)
		for range ahead {
			if err := s.Broadcast("a", "e", payload); err != nil {
				b.Fatal(err)
			}
		}
		<-all
	}
	b.StopTimer()
	end, _ := proc.CPU(os.Getpid())
	b.ReportMetric(float64((end-begin).Nanoseconds())/float64(b.N)/subscribers, "cpu-ns/delivery")
}

// BenchmarkJoinKept is a join and a leave on a connection, of a client that has missed nothing.
func BenchmarkJoinKept(b *testing.B) {
	for _, kind := range subscriberKinds {
		b.Run(kind.name, func(b *testing.B) {
			var topics []history.Topic
			if !kind.kept {
				topics = []history.Topic{{Pattern: "other"}}
			}
			s := serveKept(b, one("*", rooms()), nil, topics...)
			c := wstest.Dial(b, s.url)
			join, frames := "{}", 3
			if kind.join != "{}" {
				join, frames = since(s.say(b, "a", "e", nil)), 4
			}
			other := wstest.Dial(b, s.url) // keeps the topic followed
			other.Join("a")
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				in, _ := c.Frame("a", "phx_join", join)
				out, _ := c.Frame("a", "phx_leave", "{}")
				c.Send(in, out)
				for range frames {
					c.Next()
				}
			}
		})
	}
}

// BenchmarkReplay lets clients join a topic that each of them has missed 1,000 messages of. One
// iteration is one message that one client gets.
func BenchmarkReplay(b *testing.B) {
	const missed = 1000
	s := serveKept(b, one("*", rooms()), nil)
	first := s.say(b, "a", "e", nil)
	for range missed {
		s.say(b, "a", "e", map[string]string{"text": strings.Repeat("x", 89)})
	}
	begin, _ := proc.CPU(os.Getpid())
	b.ResetTimer()
	for range max(1, b.N/missed) {
		c := wstest.Dial(b, s.url)
		c.Push("a", "phx_join", since(first))
		for range missed + 3 { // with the reply, and two of bennu:resume
			c.Next()
		}
		c.Abort()
	}
	b.StopTimer()
	end, _ := proc.CPU(os.Getpid())
	b.ReportMetric(float64((end-begin).Nanoseconds())/float64(max(1, b.N/missed)*missed), "cpu-ns/message")
	b.ReportMetric(float64(s.Stats().History.Reads), "reads")
}
