package follow

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// TestHold publishes right after Subscribe has returned. The store tells the head before or after that;
// the subscriber gets the messages either way.
func TestHold(t *testing.T) {
	for _, tc := range []struct {
		name     string
		answered bool // the head is asked for between the append and Tell
		heard    bool // the PubSub delivers the messages
	}{{"early", false, true}, {"answered", true, true}, {"lost", true, false}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 10, nil)
				defer w.close()
				w.append(2)
				b := new(box)
				w.Subscribe("t", b)
				var list []*pubsub.Message
				var holds []*Hold
				for range 2 {
					holds = append(holds, w.Hold("t"))
					list = append(list, w.append(1)...)
				}
				if tc.answered {
					synctest.Wait()
				}
				if h := w.Hold("t"); (h == nil) != tc.answered {
					t.Errorf("answered %t, and a publish holds %v", tc.answered, h)
				} else {
					h.Release(nil)
				}
				if tc.heard {
					w.tell(list...)
				}
				for i, h := range holds {
					h.Release(list[i].Place)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				b.want(t, list...)
			})
		})
	}
}
