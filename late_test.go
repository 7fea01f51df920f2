package bennu_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// TestLateCallbacks joins a topic again and again whose handlers hang: only so many run on, for
// a connection and for a pattern, and other patterns do not suffer.
func TestLateCallbacks(t *testing.T) {
	const most, onNode = 5, 8
	for _, how := range []string{"handler", "task", "terminate", "join"} {
		t.Run(how, func(t *testing.T) {
			gate := make(chan struct{})
			d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*stayer, bennu.Empty, error) {
				h := &stayer{ch, how, gate}
				switch how {
				case "task":
					ch.Go(func(context.Context) error { <-gate; return nil })
				case "join":
					<-gate
				}
				return h, bennu.Empty{}, nil
			})
			bennu.On(d, "hang", func(h *stayer, _ context.Context, _ bennu.Empty) (bennu.NoReply, error) {
				err := h.Push("hangs", nil)
				<-gate
				return bennu.NoReply{}, err
			})
			users := one("hang:*", d)
			users.Channel("room:*", rooms())
			users.Limits.LateCallbacks = most
			users.Limits.JoinTimeout = 1 // ns
			if how != "join" {
				users.Limits.JoinTimeout = 0
			}
			s := serve(t, users, nil, &bennu.EndpointOptions{Limits: bennu.NodeLimits{LateCallbacks: onNode}})
			t.Cleanup(func() { close(gate) })
			before := runtime.NumGoroutine()
			var busy, joined int
			for range 4 {
				c := wstest.Dial(t, s.url)
				for i := range 4 * most {
					topic := fmt.Sprint("hang:", i%2)
					ref := c.Push(topic, "phx_join", "{}")
					m := c.ReplyTo(ref)
					switch response := m.Response; {
					case m.Status == "ok":
						joined++
						if how == "handler" {
							c.Push(topic, "hang", "{}")
							c.Event(topic, "hangs")
						}
					case response == `{"reason":"busy"}`:
						busy++
					}
				}
				if how != "join" { // whose limit of time is that of this one, too
					c.Join("room:1")
				}
			}
			var n int // more for a moment, until those have ended that need not wait
			few := waittest.Within(waittest.Patience, func() bool { n = runtime.NumGoroutine() - before; return n <= onNode+4*6+10 })
			if !few || busy < 2*most {
				t.Errorf("%d goroutines, %d joins refused, %d joined", n, busy, joined)
			}
			if n := s.Stats().Reasons["late_callbacks"]; int(n) != busy {
				t.Errorf("%d refusals are counted, %d were told", n, busy)
			}
		})
	}
}

// stayer is a channel that does not end in time.
type stayer struct {
	*bennu.Channel
	how  string
	gate chan struct{}
}

func (h *stayer) Terminate(error) {
	if h.how == "terminate" {
		<-h.gate
	}
}
