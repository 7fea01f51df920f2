package longpoll

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// mountOf mounts a transport as an endpoint does that has a PubSub.
func mountOf(t *testing.T, tr transport.Transport, p *pubsub.PubSub) ([]seam.Route, error) {
	t.Helper()
	m := tr.(seam.Mounter)
	return m.MountSeam(&seam.Host{
		Name: tr.Name(), Path: "/socket", Traits: m.Traits(), Acceptor: &exchange{}, PubSub: p,
		Book: notice.NewBook(slog.New(slog.DiscardHandler)),
		Shared: func(_ any, newServer func() seam.Server) seam.Server {
			s := newServer()
			t.Cleanup(func() { shut(t, s.(*server)) })
			return s
		},
	})
}

// TestMount mounts the transport where stock clients look for it, and where the options say.
func TestMount(t *testing.T) {
	opts := Options{Path: "lp"}
	given := New(&opts)
	opts.Path = "changed" // which New has copied
	for _, tc := range []struct {
		transport transport.Transport
		path      string
	}{{New(nil), "longpoll"}, {given, "lp"}} {
		routes, err := mountOf(t, tc.transport, pubsub.NewLocal())
		if err != nil || len(routes) != 1 || routes[0].Path != tc.path || tc.transport.Name() != "longpoll" {
			t.Errorf("%v, %v", routes, err)
		}
	}
	if err := given.Mount(nil); err == nil || !strings.Contains(err.Error(), "not wrapped") {
		t.Errorf("inside another transport: %v", err)
	}
}

// TestRelayedBounds bounds what passes from one node to another at once.
func TestRelayedBounds(t *testing.T) {
	for _, opts := range []*Options{{MaxBody: maxRelayed + 1}, {MaxBufferBytes: maxRelayed + 1}} {
		if _, err := mountOf(t, New(opts), pubsub.NewLocal()); err != nil {
			t.Errorf("alone: %v", err)
		}
		if _, err := mountOf(t, New(opts), newEther().node(t, "a")); err == nil || !strings.Contains(err.Error(), "at most 100663296 bytes") {
			t.Errorf("with other nodes: %v", err)
		}
	}
}
