package bennu_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport/websocket"
)

// TestReplayInTinyQueue replays more than the queue of a client holds, of which the names of topics and
// events, and the announcements of binary messages, take more than the payloads.
func TestReplayInTinyQueue(t *testing.T) {
	for _, tc := range []struct {
		messages, bytes, topic int
		binary                 bool
	}{
		{4, 4 << 10, 1, true},
		{3, 4 << 10, 1, true},
		{8, 4 << 10, 1, true},
		{16, 4 << 10, 1, true},
		{2048, 2 << 10, 1, false},
		{2048, 2 << 10, 200, false},
		{2048, 4 << 10, 200, false},
		{2048, 16 << 10, 200, true},
	} {
		t.Run(fmt.Sprintf("%+v", tc), func(t *testing.T) {
			mount := &bennu.SocketOptions{Transports: over(&websocket.Options{MaxQueueMessages: tc.messages, MaxQueueBytes: tc.bytes, MaxMessage: 1 << 10, WriteTimeout: time.Minute}, nil)}
			s := serveKept(t, one("*", rooms()), mount, history.Topic{Pattern: "*", Size: 10_000})
			topic := strings.Repeat("t", tc.topic)
			start := s.say(t, topic, "begin", nil)
			const n = 300
			for i := range n {
				if tc.binary {
					s.say(t, topic, "bin", []byte{1})
				} else {
					s.say(t, topic, "said", number(i+1))
				}
			}
			for round := range 3 {
				c := wstest.Dial(t, s.url)
				if tcp, ok := c.Conn().(*net.TCPConn); ok {
					_ = tcp.SetReadBuffer(4 << 10)
				}
				c.Push(topic, "phx_join", since(start))
				got := 0
				for live := false; !live; {
					f := c.Next()
					text := string(f.Payload)
					switch {
					case f.Op == wstest.OpBinary, strings.Contains(text, `"said"`):
						got++
					case f.Op != wstest.OpText, strings.Contains(text, `"lost"`):
						t.Fatalf("after %d messages %v", got, f)
					case strings.Contains(text, `"live"`):
						live = true
					}
				}
				if got != n {
					t.Fatalf("round %d: %d messages, want %d", round, got, n)
				}
			}
		})
	}
}
