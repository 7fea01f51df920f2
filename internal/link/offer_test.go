package link

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/transport"
)

// TestOnLow has two who wait for room: until the client takes what is queued, or the connection ends.
// The connection is closed under a lock that the functions need.
func TestOnLow(t *testing.T) {
	for _, how := range []string{"taken", "closed", "cut"} {
		within(t, func(b *bench) {
			b.lim.queueMsgs = 8
			taken := b.stalled()
			b.open()
			c := b.conn.(*conn)
			var mu sync.Mutex
			calls := 0
			count := func() {
				mu.Lock()
				defer mu.Unlock()
				c.Low()
				calls++
			}
			if !c.OnLow(count) {
				t.Error("an empty queue is not low")
			}
			b.send("1", "2", "3", "4")
			synctest.Wait()
			for range 2 { // both callers wait
				if c.OnLow(count) {
					t.Error("a queue that is half full is low")
				}
			}
			low := c.Low()
			mu.Lock()
			switch how {
			case "taken":
				close(taken)
			case "closed":
				c.Close(transport.CloseGoingAway)
			case "cut":
				c.close(0)
			}
			mu.Unlock()
			<-low
			synctest.Wait()
			if calls != 2 {
				t.Errorf("%s: the functions were called %d times, want once each", how, calls)
			}
			if !c.OnLow(count) {
				t.Errorf("%s: not low afterwards", how)
			}
			b.group.Abort()
			synctest.Wait()
			<-b.served
			if calls != 2 {
				t.Errorf("%s: %d calls in the end", how, calls)
			}
		})
	}
}
