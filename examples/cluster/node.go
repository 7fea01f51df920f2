package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/examples/hello"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// A node is one process of the cluster.
type node struct {
	addr    string // for clients
	health  string // for the checks of a load balancer; "" for no listener of their own
	name    string
	cluster string // for other nodes
	peers   []string
	secret  []byte
}

// run serves until ctx ends.
func (n *node) run(ctx context.Context) (err error) {
	if n.name == "" {
		if n.name, err = os.Hostname(); err != nil {
			return err
		}
	}
	// Connect to the other nodes first, so that the first clients find them.
	adapter, err := natspubsub.NewEmbedded(&natspubsub.EmbeddedOptions{
		Node: n.name, Listen: n.cluster, Peers: n.peers, Secret: n.secret,
	})
	if err != nil {
		return err
	}
	ps, err := pubsub.New(ctx, &pubsub.Options{Adapter: adapter})
	if err != nil {
		return err
	}
	// Leave the other nodes last: channels that end may still broadcast.
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, ps.Close(last))
	}()

	ln, err := net.Listen("tcp", n.addr)
	if err != nil {
		return err
	}
	slog.Info("serving", "node", n.name, "addr", ln.Addr().String(), "cluster", adapter.Addr().String())
	here, err := presence.New[hello.Here](ctx, ps, nil)
	if err != nil {
		ln.Close()
		return err
	}
	stop, err := n.serveHealth(ctx, ps)
	if err != nil {
		ln.Close()
		return err
	}
	err = newEndpoint(ps, here, n.secret).Serve(ctx, ln)
	return errors.Join(err, stop())
}

// serveHealth answers the checks of a load balancer on a port of their own. On the port
// of the clients, a check would wait behind clients that all come back at once, and a
// busy node would be taken for dead. After ctx has ended it answers 503, so that no new
// clients come; stop ends it.
func (n *node) serveHealth(ctx context.Context, ps *pubsub.PubSub) (stop func() error, err error) {
	if n.health == "" {
		return func() error { return nil }, nil
	}
	ln, err := net.Listen("tcp", n.health)
	if err != nil {
		return nil, err
	}
	healthy := health(ps)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			http.Error(w, "this node is shutting down", http.StatusServiceUnavailable)
			return
		}
		healthy(w, r)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(ln) // until it is closed
	}()
	return func() error {
		err := server.Close()
		<-ended
		return err
	}, nil
}

// newEndpoint has the channels of examples/hello, which need no change for several nodes.
func newEndpoint(ps *pubsub.PubSub, here *presence.Presence[hello.Here], secret []byte) *bennu.Endpoint {
	var users bennu.SocketHandler
	hello.Routes(&users, here)

	other := http.NewServeMux()
	other.HandleFunc("GET /healthz", health(ps))
	other.HandleFunc("GET /{$}", file("page.html"))
	other.HandleFunc("GET /page.js", file("page.js"))
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{
		PubSub: ps,
		// With the same secret on every node, each poll may reach any of them.
		Secret:   secret,
		Fallback: other,
		// All connections come from the proxy's address, and the proxy sets this header.
		// Clients must not be able to reach the node without the proxy.
		Limits: bennu.NodeLimits{ClientAddress: func(r *http.Request) string { return r.Header.Get("X-Forwarded-For") }},
	})
	endpoint.OnShutdown(func(context.Context) error { return here.Close() })
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)}})
	return endpoint
}

//go:embed page.html page.js
var page embed.FS

func file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, page, name)
	}
}

// health answers the checks of the load balancer: 503 while the node has lost all others,
// so that its clients go to another node. That is safe here, since each node has a broker
// of its own. If all nodes share one broker, answer 200 in any case: when it is away, no
// node would be left.
func health(ps *pubsub.PubSub) http.HandlerFunc {
	type state struct {
		Node      string   `json:"node"`
		Connected bool     `json:"connected"`
		Peers     []string `json:"peers"`
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		h := ps.Health()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !h.Connected {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(state{ps.Node(), h.Connected, h.Peers}) // fails if the client has gone
	}
}
