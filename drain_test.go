package bennu

import (
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// slowSerializer decodes when it is let to.
type slowSerializer struct {
	wire.Serializer
	gate chan struct{}
}

func (s *slowSerializer) Decode(op wire.Opcode, data []byte) (wire.Message, error) {
	<-s.gate
	return s.Serializer.Decode(op, data)
}

// TestDrainWhileReceiving begins a drain in the middle of taking a message: that one
// is still answered, and no later one is looked at.
func TestDrainWhileReceiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowSerializer{Serializer: wire.V2(nil), gate: make(chan struct{})}
		users := usersOf("*", handlerFunc(joinQuiet), Limits{})
		users.Serializers = []wire.Versioned{{Requirement: "~> 2.0.0", Serializer: slow}}
		_, m := memEndpoint(t, users, nil)
		c := memDial(t, m)
		go c.send(`["1","1","a","phx_join",{}]`)
		synctest.Wait()
		c.socket.drain()
		synctest.Wait()
		if code := c.closed(); code != 0 {
			t.Errorf("closed with %d before the message was handled", code)
		}
		close(slow.gate)
		synctest.Wait()
		if code := c.closed(); code != transport.CloseRestart {
			t.Errorf("closed with %d", code)
		}
		c.expect(`["1","1","a","phx_reply",{"response":{},"status":"ok"}]`)
		c.send(`["1","2","a","e",{}]`)
	})
}
