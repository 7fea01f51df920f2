package hello

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

func TestMain(m *testing.M) { waittest.Main(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newEndpoint makes an endpoint with all channels of this package. Its Shutdown closes everything.
func newEndpoint(t *testing.T) *bennu.Endpoint {
	t.Helper()
	ps := pubsub.NewLocal()
	here, err := presence.New[Here](t.Context(), ps, nil)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, Logger: quiet(), DrainTime: bennu.Unlimited})
	endpoint.OnShutdown(ps.Close)
	endpoint.OnShutdown(func(context.Context) error { return here.Close() })
	var users bennu.SocketHandler
	Routes(&users, here)
	endpoint.Socket("/socket", &users, nil)
	return endpoint
}

func TestUnknownTopic(t *testing.T) {
	client := channeltest.Start(t, newEndpoint(t)).Connect(t, nil)
	for _, tt := range []struct {
		topic  string
		params any
		reason string
	}{
		{"nowhere:1", nil, "unmatched topic"},
		{"inventory:gold", nil, "no such item"},
		{"room:x", person{" "}, "name must not be blank"},
	} {
		if err := client.ExpectJoinRefused(t, tt.topic, tt.params); err.Reason != tt.reason {
			t.Errorf("join of %s: %v, want %s", tt.topic, err, tt.reason)
		}
	}
	client.Join(t, "ping:lobby", nil)
}

// One test with a server, a network and the bytes of a client, which the other tests leave out.
func TestOverTheNetwork(t *testing.T) {
	endpoint := newEndpoint(t)
	server := httptest.NewUnstartedServer(endpoint)
	server.Config = endpoint.Server()
	server.Start()
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		if err := endpoint.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	client := wstest.Dial(t, "ws"+strings.TrimPrefix(server.URL, "http")+"/socket/websocket?vsn=2.0.0")
	client.Send(wstest.Text(`["1","1","ping:lobby","phx_join",{}]`))
	client.Expect(`["1","1","ping:lobby","phx_reply",{"status":"ok","response":{}}]`)
	client.Send(wstest.Text(`["1","2","ping:lobby","ping",{}]`))
	client.Expect(`["1","2","ping:lobby","phx_reply",{"status":"ok","response":{"ping":"pong"}}]`)
}
