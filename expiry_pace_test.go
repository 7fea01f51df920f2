package bennu

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// pacedConn is a memConn that takes two offered frames, and then two more for each value of low.
type pacedConn struct {
	memConn
	taken int
	low   chan struct{}
}

func (c *pacedConn) Offer(f transport.Frame) (again <-chan struct{}, err error) {
	if c.taken == 2 {
		c.taken = 0
		return c.low, nil
	}
	c.taken++
	c.Send(f)
	return nil, nil
}

func (c *pacedConn) Low() <-chan struct{} { return nil }

func (c *pacedConn) OnLow(func()) bool { return true }

// TestExpiryAtThePaceOfTheClient has more topics than the connection's queue takes: the warnings
// wait for room, and those that are left end with a renewal.
func TestExpiryAtThePaceOfTheClient(t *testing.T) {
	for _, renewed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, m := memEndpoint(t, renewing(nil), nil)
			conn := &pacedConn{memConn: memConn{room: -1}, low: make(chan struct{})}
			c := &memClient{t: t, socket: memAccept(t, m)}
			(*receiver)(c.socket).Opened(conn)
			defer (*receiver)(c.socket).Closed(transport.ErrClientClosed)
			var want []string
			for i := range 5 {
				c.send(fmt.Sprintf(`["%d","%d","t%d","phx_join",{}]`, i, i, i))
				synctest.Wait()
				want = append(want, fmt.Sprintf(`["%d",null,"t%d","token_expired",{"closes_in":25}]`, i, i))
			}
			conn.mu.Lock()
			conn.frames = nil
			conn.mu.Unlock()
			want = append([]string{`[null,null,"phoenix","token_expired",{"closes_in":25}]`}, want...)
			time.Sleep(time.Hour)
			synctest.Wait()
			if !slices.Equal(conn.frames, want[:3]) {
				t.Fatalf("before there is room: %q", conn.frames)
			}
			if renewed {
				c.socket.ExpireAt(time.Now().Add(time.Hour))
				want = want[:3]
			}
			conn.low <- struct{}{}
			synctest.Wait()
			if !renewed {
				conn.low <- struct{}{}
				synctest.Wait()
			}
			if !slices.Equal(conn.frames, want) || c.socket.expiry.warning != nil {
				t.Errorf("renewed %v: got %q, want %q", renewed, conn.frames, want)
			}
		})
	}
}
