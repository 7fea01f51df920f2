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
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
	"github.com/bennu-go/bennu/pubsub/redispubsub"
	"github.com/bennu-go/bennu/tracker"
	"github.com/bennu-go/bennu/transport/longpoll"
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
	// Presence is the times of a presence, nil for none.
	Presence *tracker.Config
}

// nodeReady is what a node says of itself when it serves.
type nodeReady struct {
	Addr    string // of clients
	Cluster string // of peers, embedded
}

// endpointSecret is shared by all nodes, as long polling needs it.
var endpointSecret = []byte("what the endpoints of one cluster share")

// pollPatience is how long a poll waits for the node that has its session: longer than it
// would in production, since this machine is busy.
const pollPatience = 5 * time.Second

// pollWindow is that of sessions: they live on while the test is busy with others.
const pollWindow = 30 * time.Second

// runNode is a program as users write it, and its control.
func runNode(o nodeOptions) (ready nodeReady, stop func() error, err error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p, adapter, err := startPubSub(ctx, &o, logger)
	if err != nil {
		return ready, nil, err
	}
	if e, ok := adapter.(*natspubsub.Embedded); ok {
		ready.Cluster = e.Addr().String()
	}
	e := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: p, Logger: logger, Secret: endpointSecret, DrainTime: bennu.Unlimited})
	channels := rooms()
	s := &site{endpoint: e, pubsub: p, topics: make(map[string]*topic)}
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
	e.Socket("/socket", channels, &bennu.SocketOptions{LongPoll: &longpoll.Options{Window: pollWindow, PubSubTimeout: pollPatience}})

	clients, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return ready, nil, err
	}
	ready.Addr = clients.Addr().String()
	srv := e.Server()
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

// startPubSub connects the node. Where the machine is late by a short probe while it starts,
// it begins again, as what runs a program would have it do.
func startPubSub(ctx context.Context, o *nodeOptions, logger *slog.Logger) (*pubsub.PubSub, pubsub.Adapter, error) {
	for {
		adapter, err := newAdapter(o, logger)
		if err != nil {
			return nil, nil, err
		}
		p, err := pubsub.New(ctx, &pubsub.Options{Adapter: adapter})
		if err == nil || o.Probe == 0 || ctx.Err() != nil {
			return p, adapter, err
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
