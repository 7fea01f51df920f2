package bennu_test

import (
	"context"
	"strings"

	"github.com/bennu-go/bennu"
)

// orders are those of one user.
type orders struct{ *bennu.Channel }

// joinOrders lets users into the topic of their own orders alone: orders:ada is ada's.
func joinOrders(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*orders, bennu.Empty, error) {
	whose := strings.TrimPrefix(ch.Topic(), "orders:")
	if user, ok := ch.Socket().Assigned("user").(string); !ok || user != whose {
		return nil, bennu.Empty{}, bennu.Errorf("unauthorized")
	}
	return &orders{ch}, bennu.Empty{}, nil
}

// A topic for each user: the pattern takes all of them, and the join function compares the rest
// of the topic with who is connected.
func ExampleDefine_private() {
	users := bennu.SocketHandler{
		Connect: func(_ context.Context, s *bennu.Socket, _ *bennu.ConnectInfo) error {
			s.Assign("user", "ada") // as a token says; see Authenticate
			return nil
		},
	}
	users.Channel("orders:*", bennu.Define(joinOrders))

	talk(&users,
		`["1","1","orders:ada","phx_join",{}]`, "<-",
		`["2","2","orders:bob","phx_join",{}]`, "<-",
	)
	// Output:
	// ["1","1","orders:ada","phx_reply",{"response":{},"status":"ok"}]
	// ["2","2","orders:bob","phx_reply",{"response":{"reason":"unauthorized"},"status":"error"}]
}
