package clients

import (
	"context"
	"log/slog"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
)

// carrier says over which transport a connection came.
type carrier struct {
	Transport string `json:"transport"`
}

// pollsOnly is an application that clients reach by long polling alone: with
// its options left as they are, as an application would have them.
func pollsOnly(logger *slog.Logger) *bennu.Endpoint {
	type channel = *bennu.Channel
	d := bennu.Define(func(_ context.Context, ch channel, _ bennu.Payload) (channel, carrier, error) {
		return ch, carrier{ch.Socket().Transport()}, nil
	})
	bennu.On(d, "echo", func(_ channel, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
	bennu.On(d, "bc", func(ch channel, _ context.Context, p bennu.Payload) (bennu.Empty, error) {
		return bennu.Empty{}, ch.Broadcast("bc", p)
	})
	var s bennu.SocketHandler
	s.Channel("room:*", d)
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: logger, Host: "localhost"})
	e.Socket("/socket", &s, &bennu.SocketOptions{Transports: []transport.Transport{longpoll.New(nil)}})
	return e
}
