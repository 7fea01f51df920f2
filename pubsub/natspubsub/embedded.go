package natspubsub

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// EmbeddedOptions configure NewEmbedded. Node is required; the zero value of every
// other field is its default. It is copied.
type EmbeddedOptions struct {
	// Node is this node's name, unique in the cluster; see Options.
	Node string
	// Listen is the host:port on which peers reach this node. Default
	// "127.0.0.1:6222": nodes on one machine need ports of their own. Port 0 picks a
	// free one.
	Listen string
	// Peers are the host:port of other nodes, or one name that DNS resolves to all of
	// them. A few that are there when this node starts are enough, they tell of the
	// rest; itself among them does no harm. Those that are not there yet are tried
	// again, every second, for ever.
	Peers []string
	// Advertise is the host:port that peers are told for this node, where it is not
	// Listen. Default: Listen.
	Advertise string
	// Secret keeps strangers out: peers show that they know it, and sign what they send.
	// At least 16 bytes, the same on every node. It is required when Listen can be
	// reached from other machines.
	Secret []byte
	// TLS encrypts the routes between nodes; both sides show a certificate and check
	// the other's. Default: plain TCP.
	TLS *tls.Config
	// MaxPayload bounds one message, in bytes. Default 5 MiB, which is more than may wait
	// for a client by default, at most 8 MiB.
	MaxPayload int

	// Prefix, Buffer, Probe and Logger are those of Options.
	Prefix string
	Buffer int
	Probe  time.Duration
	Logger *slog.Logger
}

// Defaults and bounds of EmbeddedOptions.
const (
	DefaultListen     = "127.0.0.1:6222"
	DefaultMaxPayload = 5 << 20
	maxMaxPayload     = 8 << 20
)

// Embedded is an adapter with its own NATS server.
type Embedded struct {
	pubsub.Adapter
	link *embeddedLink
}

// Addr is where peers reach this node; nil before pubsub.New has started it. It must
// not be called while that runs.
func (e *Embedded) Addr() net.Addr { return e.link.addr() }

// NewEmbedded makes an adapter that runs a NATS server in this process and routes
// to its peers. Server and routes begin when it is started, by pubsub.New, which
// waits until the peers that are there are connected.
func NewEmbedded(opts *EmbeddedOptions) (*Embedded, error) {
	if opts == nil {
		opts = &EmbeddedOptions{}
	}
	o := *opts
	e, err := newEmbedded(&o)
	if err != nil {
		return nil, fmt.Errorf("natspubsub: %w", err)
	}
	return e, nil
}

func newEmbedded(o *EmbeddedOptions) (*Embedded, error) {
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	host, port, err := hostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("option Listen: %w", err)
	}
	if len(o.Secret) == 0 && !isLoopback(host) {
		return nil, fmt.Errorf("option Secret is empty, and anybody who reaches %s could join; set it to 32 random bytes, the same on every node, or listen on 127.0.0.1", o.Listen)
	}
	switch {
	case o.MaxPayload == 0:
		o.MaxPayload = DefaultMaxPayload
	case o.MaxPayload < 64<<10 || o.MaxPayload > maxMaxPayload:
		return nil, fmt.Errorf("option MaxPayload is %d; use 0 for the default of 5 MiB, or 64 KiB to 8 MiB", o.MaxPayload)
	}
	s := &server.Options{
		ServerName: unique(o.Node),
		// The server does not route unless it listens for clients too. There is only one,
		// in this process; nobody else knows the password.
		Host: "127.0.0.1", Port: server.RANDOM_PORT,
		Username: "bennu", Password: rand.Text(), AuthTimeout: serverTime.Seconds(),
		NoSigs:     true,
		MaxPayload: int32(o.MaxPayload),
		Cluster: server.ClusterOpts{
			Name: "bennu", Host: host, Port: port, Advertise: o.Advertise, NoAdvertise: true,
			// One connection to each peer: what one of them says stays in order, interest
			// included.
			PoolSize:  -1,
			TLSConfig: o.TLS,
			// A peer that is gone without a word is found after four, and one that was only
			// stopped for two is kept.
			PingInterval: probe(o.Probe), MaxPingsOut: pings,
		},
	}
	if port == 0 {
		s.Cluster.Port = server.RANDOM_PORT
	}
	if o.TLS != nil {
		s.Cluster.TLSTimeout = 5
	}
	if len(o.Secret) > 0 {
		s.Cluster.Username, s.Cluster.Password = "bennu", routePassword(o.Secret)
		s.Cluster.AuthTimeout = 5
	}
	for _, p := range o.Peers {
		if _, _, err := hostPort(p); err != nil {
			return nil, fmt.Errorf("option Peers: %w", err)
		}
		u := &url.URL{Scheme: "nats-route", Host: p}
		if s.Cluster.Username != "" {
			u.User = url.UserPassword(s.Cluster.Username, s.Cluster.Password)
		}
		s.Routes = append(s.Routes, u)
	}
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	l := &embeddedLink{link: newLink(o.Prefix, o.Probe), server: s, peers: o.Peers, listen: o.Listen, log: newServerLog(slog.New(redact.NewHandler(log.Handler())).With("node", o.Node))}
	l.where = "this process"
	l.options = []nats.Option{nats.InProcessServer(l), nats.UserInfo(s.Username, s.Password), nats.Timeout(serverTime)}
	n, err := cluster.New(cluster.Options{Node: o.Node, Prefix: o.Prefix, Secret: o.Secret, Buffer: o.Buffer, Beat: o.Probe, Logger: o.Logger}, l)
	if err != nil {
		return nil, err
	}
	return &Embedded{n, l}, nil
}

func probe(d time.Duration) time.Duration {
	if d <= 0 {
		return cluster.DefaultBeat
	}
	return d
}

// unique is the name of a server. Two servers of one name would not connect, and
// so their nodes could not find out that they have one name.
func unique(node string) string { return node + "/" + strings.ToLower(rand.Text()[:8]) }

// nodeOf is the node whose server has this name.
func nodeOf(server string) string {
	node, _, _ := strings.Cut(server, "/")
	return node
}

// routePassword is what peers show. It says nothing of the secret itself.
func routePassword(secret []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("bennu nats route"))
	return hex.EncodeToString(h.Sum(nil))
}

func hostPort(s string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(s)
	if err == nil {
		port, err = strconv.Atoi(p)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q is not host:port; %s would be", s, DefaultListen)
	}
	return host, port, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
