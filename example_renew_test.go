package bennu_test

import (
	"context"
	"errors"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
)

// accounts has the user of each token. Package token does the same for tokens that are signed.
type accounts map[string]string

// verify is for Authenticate: it says whose token it is, and until when it is good.
func (a accounts) verify(_ context.Context, token string) (user string, expires time.Time, err error) {
	user, ok := a[token]
	if !ok {
		return "", time.Time{}, errors.New("nobody's token")
	}
	return user, time.Now().Add(time.Hour), nil
}

// renew is the Renew that goes with it.
func (a accounts) renew(ctx context.Context, s *bennu.Socket, token string) (expires time.Time, err error) {
	user, expires, err := a.verify(ctx, token)
	if err != nil {
		return time.Time{}, bennu.Errorf("unauthorized")
	}
	// The channels go on as the user who connected: the good token of another is refused.
	if was, ok := bennu.Identity[string](s); !ok || was != user {
		return time.Time{}, bennu.Errorf("unauthorized")
	}
	return expires, nil
}

// A client renews its authentication by pushing a new token of the same user.
func ExampleSocketHandler_renew() {
	known := accounts{"a1": "ada", "a2": "ada", "b1": "bob"}
	users := bennu.SocketHandler{
		Connect: bennu.Authenticate(known.verify),
		Renew:   known.renew,
	}
	users.Channel("counter:*", bennu.Define(joinCounter))
	endpoint := quiet()
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{Checks: transport.Checks{TokenParam: "token"}})

	converseAs(endpoint, "&token=a1",
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","access_token",{"access_token":"a2"}]`, "<-",
		`["1","3","counter:a","access_token",{"access_token":"b1"}]`, "<-",
		`["1","4","counter:a","access_token",{"access_token":"c1"}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["1","2","counter:a","phx_reply",{"response":{},"status":"ok"}]
	// ["1","3","counter:a","phx_reply",{"response":{"reason":"unauthorized"},"status":"error"}]
	// ["1","4","counter:a","phx_reply",{"response":{"reason":"unauthorized"},"status":"error"}]
}
