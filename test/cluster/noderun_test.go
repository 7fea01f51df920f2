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
	"sync"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
	"github.com/bennu-go/bennu/pubsub/redispubsub"
	"github.com/bennu-go/bennu/test/replay"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// nodeOptions are how a node is told what it is.
type nodeOptions struct {
	Node    string
	Kind    string // of the adapter
	URL     string // of the broker
	Listen  string // embedded
	Peers   []string
	Secret  []byte
	Probe   time.Duration
	Buffer  int
	Control string // where the control listens, a Unix socket
	Clients string // where clients can reach the node beside its port, the same; "" for nowhere
	// Polls is how long a poll waits for the node that has its session; 0 for patience.
	Polls time.Duration
	// Presence is the times of a presence, nil for none.
	Presence *presence.Timing
}

// nodeReady is what a node says of itself when it serves.
type nodeReady struct {
	Addr    string // of clients
	Cluster string // of peers, embedded
}

// endpointSecret is shared by all nodes, as long polling needs it.
var endpointSecret = []byte("what the endpoints of one cluster share")

// pollWindow is that of sessions: they live on while the test is busy with others.
const pollWindow = patience

// runNode is a program as users write it, and its control.
func runNode(o nodeOptions) (ready nodeReady, stop func() error, err error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p, adapter, err := startPubSub(ctx, &o, logger)
	if err != nil {
		return ready, nil, err
	}
	if e, ok := adapter.Adapter.(*natspubsub.Embedded); ok {
		ready.Cluster = e.Addr().String()
	}
	e := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: p, Logger: logger, Secret: endpointSecret, DrainTime: bennu.Unlimited})
	channels := rooms()
	s := &site{endpoint: e, pubsub: p, witness: adapter, topics: make(map[string]*topic)}
	verbs := s.control()
	if o.Presence != nil {
		a, err := attend(ctx, p, *o.Presence, logger)
		if err != nil {
			return ready, nil, err
		}
		channels.Channel("hall:*", a.halls())
		a.control(verbs)
		e.OnShutdown(func(context.Context) error { return a.close() })
	}
	e.Socket("/socket", channels, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(&longpoll.Options{Window: pollWindow, PubSubTimeout: cmp.Or(o.Polls, patience)})}})

	clients, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return ready, nil, err
	}
	ready.Addr = clients.Addr().String()
	srv := e.Server()
	srv.ReadHeaderTimeout = patience // a client that stands still is no attacker here
	control := &http.Server{Handler: verbs}
	var serving sync.WaitGroup
	serve := func(srv *http.Server, ln net.Listener) {
		serving.Go(func() {
			if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				logger.Error("a listener ended", "error", err)
			}
		})
	}
	serve(srv, clients)
	for _, l := range []struct {
		path string
		srv  *http.Server
	}{{o.Control, control}, {o.Clients, srv}} {
		if l.path == "" {
			continue
		}
		_ = os.Remove(l.path) // of a node that was killed
		ln, err := net.Listen("unix", l.path)
		if err != nil {
			return ready, nil, err
		}
		serve(l.srv, ln)
	}
	return ready, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.close()
		errs := []error{control.Close(), e.Shutdown(ctx), srv.Close()}
		// With the broker away not everything can be sent, and that is no mistake here.
		brief, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := p.Close(brief); err != nil {
			logger.Warn("the adapter stopped", "error", err)
		}
		serving.Wait()
		return errors.Join(errs...)
	}, nil
}

// startPubSub connects the node. Where the machine is late while it starts, it begins again, as what runs a program would have it do.
func startPubSub(ctx context.Context, o *nodeOptions, logger *slog.Logger) (*pubsub.PubSub, *replay.Witness, error) {
	for {
		adapter, err := newAdapter(o, logger)
		if err != nil {
			return nil, nil, err
		}
		w := &replay.Witness{Adapter: adapter}
		p, err := pubsub.New(ctx, &pubsub.Options{Adapter: w})
		if err == nil || o.Probe == 0 || ctx.Err() != nil {
			return p, w, err
		}
		logger.Warn("the node starts again", "error", err)
	}
}

// newAdapter makes the adapter of a kind.
func newAdapter(o *nodeOptions, logger *slog.Logger) (pubsub.Adapter, error) {
	switch o.Kind {
	case kindNATS:
		return natspubsub.New(&natspubsub.Options{Node: o.Node, URL: o.URL, Secret: o.Secret, Probe: o.Probe, Buffer: o.Buffer, Logger: logger})
	case kindEmbedded:
		return natspubsub.NewEmbedded(&natspubsub.EmbeddedOptions{Node: o.Node, Listen: o.Listen, Peers: o.Peers, Secret: o.Secret, Probe: o.Probe, Buffer: o.Buffer, Logger: logger})
	case kindRedis:
		return redispubsub.New(&redispubsub.Options{Node: o.Node, URL: o.URL, Secret: o.Secret, Probe: o.Probe, Buffer: o.Buffer, Logger: logger})
	}
	return nil, fmt.Errorf("there is no adapter of the kind %q", o.Kind)
}

// room is a channel in which everybody may speak.
type room struct{ *bennu.Channel }

func joinRoom(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
	return &room{ch}, bennu.Empty{}, nil
}

// rooms is a handler whose connections are named by the parameter "id".
func rooms() *bennu.SocketHandler {
	d := bennu.Define(joinRoom)
	bennu.On(d, "say", func(r *room, _ context.Context, in bennu.Payload) (bennu.Empty, error) {
		return bennu.Empty{}, r.Broadcast("said", in)
	})
	h := &bennu.SocketHandler{
		Connect: func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
			name, _ := info.Params.String("id")
			s.Assign("id", name)
			return nil
		},
		ID: func(s *bennu.Socket) string { return s.Assigned("id").(string) },
	}
	h.Channel("room:*", d)
	return h
}
