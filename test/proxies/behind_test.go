package proxies

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// behindProxy are the options of a server behind a proxy that ends TLS, and of its
// mounts.
func behindProxy() (bennu.EndpointOptions, bennu.SocketOptions) {
	header := func(name string) func(*http.Request) string {
		return func(r *http.Request) string { return r.Header.Get(name) }
	}
	endpoint := bennu.EndpointOptions{
		// Without ClientAddress all clients count as one, the proxy, and the 65th that
		// polls is refused.
		Limits: bennu.NodeLimits{ClientAddress: header("X-Forwarded-For"), PerAddress: 100},
	}
	mount := bennu.SocketOptions{
		// Without Scheme the server takes its pages for http, and refuses those of https.
		Checks:     transport.Checks{Scheme: header("X-Forwarded-Proto")},
		Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)},
	}
	return endpoint, mount
}

// health answers the checks of a proxy. It is served on a port of its own: on that of
// the clients a check waits behind all who come back at once, is answered too late, and
// the proxy takes a server for dead that is only busy. A server that is about to end
// answers 503 from then on, so that new clients go to others while it drains.
type health struct{ ending atomic.Bool }

func (h *health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if h.ending.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// serve runs a server until ctx ends, and its health beside it.
func serve(ctx context.Context, endpoint *bennu.Endpoint, clients, checks net.Listener) error {
	var h health
	context.AfterFunc(ctx, func() { h.ending.Store(true) })
	beside := http.Server{Handler: &h, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() { stopped <- beside.Serve(checks) }()
	err := endpoint.Serve(ctx, clients) // returns when all is drained
	err = errors.Join(err, beside.Close())
	<-stopped
	return err
}

// rooms are channels that let everybody in, and do as those of the fixture.
func rooms(connect func(context.Context, *bennu.Socket, *bennu.ConnectInfo) error) *bennu.SocketHandler {
	room := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, nil
	})
	bennu.On(room, "echo", func(_ *bennu.Channel, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
	bennu.On(room, "bc", func(ch *bennu.Channel, _ context.Context, p bennu.Payload) (bennu.Empty, error) {
		return bennu.Empty{}, ch.Broadcast("bc", p)
	})
	h := &bennu.SocketHandler{Connect: connect}
	h.Channel("room:*", room)
	return h
}
