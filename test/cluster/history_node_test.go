package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/history/natshistory"
	"github.com/bennu-go/bennu/history/redishistory"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/pubsub"
)

// keeperOptions are how a node whose topics have a history is told what it is. Clients and control
// have the same addresses after a restart.
type keeperOptions struct {
	Node    string
	Kind    string // of the adapter and of the store
	URL     string // of the broker, which is both
	Addr    string // of clients
	Control string // a Unix socket
}

// keeperReady is empty: the test knows everything.
type keeperReady struct{}

// runKeeper is the program of such a node.
func runKeeper(o keeperOptions) (ready keeperReady, stop func() error, err error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	k := &keeper{options: o, logger: logger}
	if err := k.connect(); err != nil {
		return ready, nil, err
	}
	return ready, k.stop, k.serve()
}

// keeper is a node as its program has it.
type keeper struct {
	options  keeperOptions
	logger   *slog.Logger
	ps       *pubsub.PubSub
	log      *history.Log
	endpoint *bennu.Endpoint
	servers  []*http.Server
	serving  sync.WaitGroup
}

// connect reaches the broker, which may be away at first.
func (k *keeper) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := k.tryConnect(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		k.logger.Warn("the node starts again", "error", err)
		lasts(100 * time.Millisecond)
	}
}

func (k *keeper) tryConnect(ctx context.Context) error {
	adapter, err := newAdapter(&nodeOptions{Kind: k.options.Kind, Node: k.options.Node, URL: k.options.URL}, k.logger)
	if err != nil {
		return err
	}
	if k.ps, err = pubsub.New(ctx, &pubsub.Options{Adapter: adapter}); err != nil {
		return err
	}
	topics := app.Topics(false)
	store, err := k.store(ctx, topics[0].Size)
	if err == nil {
		k.log, err = history.New(ctx, k.ps, &history.Options{Store: store, Topics: topics, Logger: k.logger})
	}
	if err != nil {
		_ = k.ps.Close(ctx)
	}
	return err
}

func (k *keeper) store(ctx context.Context, size int) (history.Store, error) {
	switch k.options.Kind {
	case kindNATS:
		return natshistory.New(ctx, &natshistory.Options{URL: k.options.URL, Replicas: 1, Size: size, Logger: k.logger})
	case kindRedis:
		return redishistory.New(ctx, &redishistory.Options{URL: k.options.URL})
	}
	return nil, fmt.Errorf("there is no store of the kind %q", k.options.Kind)
}

func (k *keeper) serve() error {
	k.endpoint = bennu.NewEndpoint(&bennu.EndpointOptions{
		PubSub: k.ps, History: k.log, Logger: k.logger, Secret: endpointSecret, DrainTime: time.Second,
	})
	k.endpoint.OnShutdown(k.log.Close)
	h := &bennu.SocketHandler{}
	app.Logs(h)
	k.endpoint.Socket("/socket", h, nil)
	verbs := http.NewServeMux()
	verb(verbs, "keep", k.keep)
	verb(verbs, "stats", func(context.Context, struct{}) (bennu.HistoryStats, error) { return k.endpoint.Stats().History, nil })
	_ = os.Remove(k.options.Control) // of a node that was killed
	srv := k.endpoint.Server()
	srv.ReadHeaderTimeout = patience
	for _, l := range []struct {
		network, addr string
		srv           *http.Server
	}{{"tcp", k.options.Addr, srv}, {"unix", k.options.Control, &http.Server{Handler: verbs}}} {
		ln, err := net.Listen(l.network, l.addr)
		if err != nil {
			return err
		}
		k.servers = append(k.servers, l.srv)
		k.serving.Go(func() {
			if err := l.srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				k.logger.Error("a listener ended", "error", err)
			}
		})
	}
	return nil
}

// stop ends the node as a deployment would.
func (k *keeper) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	errs := []error{k.endpoint.Shutdown(ctx)}
	for _, srv := range k.servers {
		errs = append(errs, srv.Close())
	}
	brief, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := k.ps.Close(brief); err != nil { // the broker may be away
		k.logger.Warn("the adapter stopped", "error", err)
	}
	k.serving.Wait()
	return errors.Join(errs...)
}

// keeping asks for a number to be published, once whatever the retries.
type keeping struct {
	Topic string
	N     int
}

func (k *keeper) keep(ctx context.Context, in keeping) (struct{}, error) {
	_, err := k.endpoint.Publish(ctx, in.Topic, "n", struct {
		N int `json:"n"`
	}{in.N}, bennu.Key(fmt.Sprint(in.N)))
	return struct{}{}, err
}
