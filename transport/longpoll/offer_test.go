package longpoll

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// TestOnLow has two who wait for room: until the client acknowledges what it has, or the session ends.
// The session is closed under a lock that the functions need.
func TestOnLow(t *testing.T) {
	for _, how := range []string{"acknowledged", "closed", "overflow"} {
		x := &exchange{}
		inSite(t, x, &Options{MaxBufferMessages: 8}, func(t *testing.T, st *site) {
			token := st.open(ackHeader, "1")
			s := st.session(token)
			var mu sync.Mutex
			calls := 0
			count := func() {
				mu.Lock()
				defer mu.Unlock()
				s.Low()
				calls++
			}
			if !s.OnLow(count) {
				t.Error("an empty outbox is not low")
			}
			for range 6 {
				s.Send(seal(wire.Text, "x"))
			}
			token = st.poll(token).Token
			for range 2 { // both callers wait
				if s.OnLow(count) {
					t.Error("an outbox with six of eight messages is low")
				}
			}
			low := s.Low()
			mu.Lock()
			switch how {
			case "acknowledged":
				st.background(ask{token: token})
			case "closed":
				s.Close(transport.CloseGoingAway)
			case "overflow":
				for range 3 {
					s.Send(seal(wire.Text, "x"))
				}
			}
			<-low
			mu.Unlock()
			synctest.Wait()
			if calls != 2 {
				t.Errorf("%s: the functions were called %d times, want once each", how, calls)
			}
			if !s.OnLow(count) {
				t.Errorf("%s: not low afterwards", how)
			}
			s.Close(transport.CloseGoingAway)
			st.srv.Close(transport.CloseRestart) // answers the poll that waits
			synctest.Wait()
			if calls != 2 {
				t.Errorf("%s: %d calls in the end", how, calls)
			}
		})
	}
}
