package bennu

import (
	"errors"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/pace"
)

func init() {
	// Functions that package presence calls, though they are not exported here.
	pace.Offer = func(channel any, event string, payload []byte) (<-chan struct{}, error) {
		c, _ := channel.(*Channel)
		if c.isNil() {
			return nil, errNilChannel
		}
		return c.offer(event, payload)
	}
	pace.Low = func(channel any) <-chan struct{} {
		if c, _ := channel.(*Channel); !c.isNil() {
			if conn, ok := c.socket.conn.(ability.Offerer); ok {
				return conn.Low()
			}
		}
		return nil
	}
}

// offer implements pace.Offer: it pushes an event that can wait. If the client's queue has no room
// to spare, nothing is sent, and the frame may be offered anew when again is closed.
func (c *Channel) offer(event string, payload []byte) (again <-chan struct{}, err error) {
	f, err := c.pushFrame(event, Payload{Data: payload})
	if err != nil {
		return nil, err
	}
	conn, ok := c.socket.conn.(ability.Offerer)
	if !ok {
		return nil, c.emit(f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case joined, leaving:
		if again, err = conn.Offer(f); errors.Is(err, pace.ErrClosed) {
			err = ErrClosed
		}
		return again, err
	case joining:
		return nil, ErrNotJoined
	}
	return nil, ErrClosed
}
