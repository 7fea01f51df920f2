package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/history/natshistory"
	"github.com/bennu-go/bennu/history/redishistory"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// keeperOptions are how a node with a history is told what it is.
type keeperOptions struct {
	Node    string
	Kind    string // of the adapter and of the store
	URL     string // of the broker, which is the store too
	Addr    string // where clients connect
	Health  string // where the load balancer asks
	Control string // where the control listens, a Unix socket
	Size    int    // of messages that are kept of a topic; 0 for keptMost
}

// keptMost is the number of messages that are kept of a topic: no client is ever away for so many.
const keptMost = 20_000

// keeper is such a node.
type keeper struct {
	keeperOptions
	logger   *slog.Logger
	pubsub   *pubsub.PubSub
	log      *history.Log
	endpoint *bennu.Endpoint
	closing  atomic.Bool
}

// runKeeper is a program as users write it, and its control.
func runKeeper(o keeperOptions) (ready struct{}, stop func() error, err error) {
	k := &keeper{keeperOptions: o, logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if err := k.connect(); err != nil {
		return ready, nil, err
	}
	k.endpoint = bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: k.pubsub, History: k.log, Logger: k.logger, Secret: endpointSecret})
	k.endpoint.OnShutdown(k.log.Close)
	var channels bennu.SocketHandler
	channels.Channel("log:*", bennu.Define(joinRoom))
	k.endpoint.Socket("/socket", &channels, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil)}})

	_ = os.Remove(o.Control) // of a node that was killed
	var listeners []net.Listener
	for _, at := range [][2]string{{"tcp", o.Addr}, {"tcp", o.Health}, {"unix", o.Control}} {
		ln, err := net.Listen(at[0], at[1])
		if err != nil {
			return ready, nil, err
		}
		listeners = append(listeners, ln)
	}
	return ready, k.serve(listeners[0], listeners[1], listeners[2]), nil
}

// connect connects to the broker. Where that is away it begins again, as what runs a program would
// have it do.
func (k *keeper) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := k.tryConnect(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		k.logger.Warn("the node starts again", "error", err)
		lasts(50 * time.Millisecond)
	}
}

func (k *keeper) tryConnect(ctx context.Context) error {
	adapter, err := newAdapter(&nodeOptions{Node: k.Node, Kind: k.Kind, URL: k.URL, Probe: rarely}, k.logger)
	if err != nil {
		return err
	}
	if k.pubsub, err = pubsub.New(ctx, &pubsub.Options{Adapter: adapter}); err != nil {
		return err
	}
	size := cmp.Or(k.Size, keptMost)
	store, err := k.store(ctx, size)
	if err == nil {
		k.log, err = history.New(ctx, k.pubsub, &history.Options{
			Store: store, Logger: k.logger,
			Topics: []history.Topic{{Pattern: "log:*", Size: size, Bytes: 64 << 20, Age: time.Hour}},
		})
	}
	if err != nil {
		err = errors.Join(err, k.leave())
	}
	return err
}

func (k *keeper) store(ctx context.Context, size int) (history.Store, error) {
	switch k.Kind {
	case kindNATS:
		return natshistory.New(ctx, &natshistory.Options{URL: k.URL, Replicas: 1, Size: size, Logger: k.logger})
	case kindRedis:
		return redishistory.New(ctx, &redishistory.Options{URL: k.URL})
	}
	return nil, fmt.Errorf("there is no store of the kind %q", k.Kind)
}

// leave leaves the other nodes. The broker may be away.
func (k *keeper) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return k.pubsub.Close(ctx)
}

// serve serves until stop is called, which drains the clients.
func (k *keeper) serve(clients, health, control net.Listener) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- k.endpoint.Serve(ctx, clients) }()
	beside := []*http.Server{{Handler: k.health()}, {Handler: k.control()}}
	for i, ln := range []net.Listener{health, control} {
		go func() { _ = beside[i].Serve(ln) }() // until it is closed
	}
	return func() error {
		k.closing.Store(true)
		cancel()
		err := <-served
		for _, server := range beside {
			err = errors.Join(err, server.Close())
		}
		if left := k.leave(); left != nil {
			k.logger.Warn("the adapter stopped", "error", left)
		}
		return err
	}
}

// health answers the load balancer. It says nothing of the broker: when that is away, no node would
// be left.
func (k *keeper) health() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if k.closing.Load() {
			http.Error(w, "this node is shutting down", http.StatusServiceUnavailable)
		}
	})
}

// keeping asks for one message, which has a key.
type keeping struct {
	Topic string
	Of    noted
}

// kept is the place of a message, or says why it has none that is known.
type kept struct{ Offset, Err string }

// noteworthy is the event of these messages.
const noteworthy = "noted"

func (k *keeper) control() *http.ServeMux {
	mux := http.NewServeMux()
	verb(mux, "keep", func(ctx context.Context, in keeping) (kept, error) {
		at, err := k.endpoint.Publish(ctx, in.Topic, noteworthy, in.Of, bennu.Key(in.Of.key()))
		if err != nil {
			return kept{Err: err.Error()}, nil
		}
		return kept{Offset: at.String()}, nil
	})
	verb(mux, "stats", func(context.Context, struct{}) (bennu.HistoryStats, error) { return k.endpoint.Stats().History, nil })
	return mux
}
