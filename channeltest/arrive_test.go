package channeltest

import (
	"context"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/protocol"
)

type arrival struct{}

// TestArriveInTime joins a channel whose handler of a message from its join function does not
// return. A join goes on when Timeout is over. It is short only after the reply has come, which may
// take any time.
func TestArriveInTime(t *testing.T) {
	hold := make(chan struct{})
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, ch.Send(arrival{})
	})
	bennu.OnInfo(rooms, func(*bennu.Channel, context.Context, arrival) error { <-hold; return nil })
	var users bennu.SocketHandler
	users.Channel("room:*", rooms)
	endpoint := Mount(t, &users, nil)
	defer close(hold)
	room := &Channel{client: endpoint.Connect(t, nil), topic: "room:lobby"}
	room.push(t, protocol.EventJoin, nil).await(t, "the reply to the join")
	endpoint.Timeout = time.Millisecond
	room.arrive()
	endpoint.Timeout = 0
}
