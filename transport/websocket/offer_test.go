package websocket_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// TestOnLow has two who wait for room: until the client reads, or the connection ends. The connection
// is closed under a lock that the functions need.
func TestOnLow(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(conn seam.Conn, c *client)
	}{
		{"read", func(_ seam.Conn, c *client) {
			for i := range 6 {
				c.expect(wantBin(numbered(i, 100).Payload()))
			}
		}},
		{"closed", func(conn seam.Conn, _ *client) {
			conn.Close(transport.CloseGoingAway)
		}},
		{"lost", func(_ seam.Conn, c *client) { _ = c.nc.Close() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var calls atomic.Int64
			t.Cleanup(func() { // after the cleanup of the server, which waits for its goroutines
				if n := calls.Load(); n != 2 {
					t.Errorf("the functions were called %d times, want once each", n)
				}
			})
			conn, c := pipe(t, newServer(t), newReceiver(nil), &websocket.Options{MaxQueueMessages: 8, WriteTimeout: time.Hour})
			o := conn.(ability.Offerer)
			var mu sync.Mutex
			count := func() {
				mu.Lock()
				defer mu.Unlock()
				o.Low()
				calls.Add(1)
			}
			if !o.OnLow(count) {
				t.Error("an empty queue is not low")
			}
			for i := range 6 {
				conn.Send(numbered(i, 100))
			}
			for range 2 { // both callers wait
				if o.OnLow(count) {
					t.Error("a queue with six of eight messages is low")
				}
			}
			low := o.Low()
			mu.Lock()
			tc.do(conn, c)
			mu.Unlock()
			<-low
			eventually(t, "both functions are called", func() bool { return calls.Load() == 2 })
			if !o.OnLow(count) {
				t.Error("not low afterwards")
			}
		})
	}
}
