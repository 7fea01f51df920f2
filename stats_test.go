package bennu_test

import (
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// TestTransportStats counts what goes over each transport, and adds up the mounts of one.
func TestTransportStats(t *testing.T) {
	engines(t, func(t *testing.T, o *bennu.EndpointOptions) {
		s := serve(t, one("*", rooms()), &bennu.SocketOptions{Transports: both}, o)
		s.Socket("/other", one("*", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil)}})
		const beats = 5
		for _, name := range []string{"websocket", "longpoll"} {
			c := (&road{s, name}).dial(t, "")
			for range beats {
				c.Fence()
			}
			var got transport.Stats
			eventually(t, "all is counted", func() bool {
				got = s.Stats().Transports[name]
				return got.MessagesIn == beats && got.MessagesOut >= beats
			})
			if got.Open != 1 || got.Opened != 1 || got.BytesIn < 30*beats || got.BytesOut < 30*beats || got.Writes == 0 || got.Writes > got.MessagesOut {
				t.Errorf("%s: %+v", name, got)
			}
			c.Abort()
		}
		eventually(t, "the end of the WebSocket is counted", func() bool {
			got := s.Stats().Transports["websocket"]
			return got.Open == 0 && got.Lost == 1
		})
		if len(s.Stats().Transports) != 2 {
			t.Errorf("%+v", s.Stats().Transports)
		}
	})
}
