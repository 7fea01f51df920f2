package websocket

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestFloodgate has more come than there are places. They pass in order, and one that never
// leaves keeps the others for gateTime.
func TestFloodgate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newFloodgate()
		var first *visit
		for range g.places {
			first = g.enter()
		}
		if !g.full() {
			t.Error("there is room")
		}
		var mu sync.Mutex
		var visits []*visit // by those who waited, in order
		began := time.Now()
		const more = 20
		for i := range more {
			go func() {
				v := g.enter()
				mu.Lock()
				defer mu.Unlock()
				if len(visits) != i {
					t.Errorf("%d passed after %d", i, len(visits))
				}
				visits = append(visits, v)
			}()
			synctest.Wait()
		}
		// Nobody has left for gateTime, and as many have lost their places as there are.
		passed := func(want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(visits) != want {
				t.Errorf("%d have passed after %v, want %d", len(visits), time.Since(began), want)
			}
		}
		passed(0)
		time.Sleep(gateTime - time.Nanosecond)
		passed(0)
		time.Sleep(time.Nanosecond)
		passed(g.places)
		g.leave(first) // its place is another's
		passed(g.places)
		for n := g.places; n < more; n++ {
			g.leave(visits[n-g.places])
			passed(n + 1)
		}
		if !g.full() {
			t.Error("there is room")
		}
		for _, v := range visits[more-g.places:] {
			g.leave(v)
		}
		if len(g.inside) > 0 || len(g.waiting) > 0 {
			t.Errorf("%d are inside, and %d wait", len(g.inside), len(g.waiting))
		}
	})
}

// TestFloodIsNoPause has a client send all the time, while the server is late to read it: for
// the time that it waits for its turn it has not paused.
func TestFloodIsNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(&serverConfig{NoEpoll: true})
		c := &conn{srv: s, lim: &limits{}}
		c.engine = &parked{conn: c}
		for range burstBytes {
			c.hearBytes(1)
		}
		place := s.floodgate.enter()
		for range s.floodgate.places - 1 {
			s.floodgate.enter()
		}
		go func() {
			time.Sleep(2 * calmFor)
			s.floodgate.leave(place)
		}()
		c.hearBytes(1)
		c.consumeInTurn([]byte{0x82}) // the first byte of a frame
		c.hearBytes(1)
		if c.burst != uint32(burstBytes+2) {
			t.Errorf("%d bytes have come since it was quiet, want %d", c.burst, burstBytes+2)
		}
		time.Sleep(calmFor)
		if c.hearBytes(1); c.burst != 1 {
			t.Errorf("%d bytes have come since it was quiet, want 1", c.burst)
		}
	})
}
