package docs

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/token"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// docs/transports.md and docs/security.md: both transports, a list of origins, and tokens.
func TestOptions(t *testing.T) {
	origin, err := transport.Origins("https://example.com", "https://*.example.com")
	if err != nil {
		t.Fatal(err)
	}
	const secretKeyBase = "a secret of Phoenix's kind, of sixty-four characters and no fewer"
	users, keys, err := tokens(secretKeyBase)
	if err != nil {
		t.Fatal(err)
	}
	users.Channel("ping:*", pings())
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{
		Checks:     transport.Checks{AuthToken: true},
		Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)},
	})
	endpoint.Socket("/listed", &users, &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true, Origin: origin}})
	signed, err := keys.Sign("user socket", 42)
	if err != nil {
		t.Fatal(err)
	}
	served := channeltest.Start(t, endpoint)
	served.ExpectRefused(t, &channeltest.Options{AuthToken: "forged"})
	client := served.Connect(t, &channeltest.Options{AuthToken: signed})
	client.Join(t, "ping:a", nil).Push(t, "ping", nil).ExpectOK(t)
}

func tokens(secretKeyBase string) (bennu.SocketHandler, *token.Keys, error) {
	keys, err := token.New([]string{secretKeyBase}, nil)
	users := bennu.SocketHandler{
		Connect: bennu.Authenticate(func(_ context.Context, t string) (int64, time.Time, error) {
			claims, err := keys.Verify("user socket", t)
			id, err := token.As[int64](claims, err)
			if err != nil {
				return 0, time.Time{}, err
			}
			return id, claims.ExpiresAt, nil
		}),
	}
	return users, keys, err
}
