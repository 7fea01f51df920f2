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

// EmbeddedOptions configure NewEmbedded. Node is required. The zero value of every other field means
// its default. NewEmbedded copies them.
type EmbeddedOptions struct {
	// Node is the name of this node, as in Options.
	Node string
	// Listen is the host:port on which this node listens for its peers. Nodes on one machine
	// need different ports; port 0 picks a free one. Default "127.0.0.1:6222".
	Listen string
	// Peers are the host:port of other nodes, or of one name that DNS resolves to all of them.
	// A few running nodes are enough, since they know the others. This node itself may be in
	// the list. Peers that do not answer are tried again every second.
	Peers []string
	// Advertise is the host:port at which peers reach this node, if it is not Listen.
	// Default: Listen.
	Advertise string
	// Secret must be known to peers that connect, and signs the messages of nodes. At least 16
	// bytes, the same on every node. It is required unless Listen is a loopback address.
	Secret []byte
	// TLS encrypts the connections between nodes. Both sides send a certificate and verify that
	// of the other. Default: plain TCP.
	TLS *tls.Config
	// MaxPayload bounds a message in bytes, from 64 KiB to 8 MiB. Default 5 MiB, which is more
	// than the default queue of a client holds.
	MaxPayload int

	// Prefix, Buffer, Probe and Logger are as in Options.
	Prefix string
	Buffer int
	Probe  time.Duration
	Logger *slog.Logger
}

// Defaults and bounds of EmbeddedOptions.
const (
	defaultListen     = "127.0.0.1:6222"
	defaultMaxPayload = 5 << 20
	maxMaxPayload     = 8 << 20
)

// Embedded is an adapter with a NATS server in this process. pubsub.PubSub starts and stops both.
type Embedded struct {
	pubsub.Adapter
	link *embeddedLink
}

// Addr returns the address on which peers reach this node, or nil before pubsub.New has started
// it. It must not be called while pubsub.New runs.
func (e *Embedded) Addr() net.Addr { return e.link.addr() }

// NewEmbedded makes an adapter that runs a NATS server in this process, which connects to the servers
// of its peers. pubsub.New starts the server, and waits up to 5 s for connections to running peers. The
// error of NewEmbedded says which option is wrong and what to write instead.
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

// newEmbedded checks the options and makes the configuration of the server.
func newEmbedded(o *EmbeddedOptions) (*Embedded, error) {
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	host, port, err := hostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("option Listen: %w", err)
	}
	// A cluster port without a password would let everybody publish to every client.
	if len(o.Secret) == 0 && !isLoopback(host) {
		return nil, fmt.Errorf("option Secret is empty, and anybody who reaches %s could join; set it to 32 random bytes, the same on every node, or listen on 127.0.0.1", o.Listen)
	}
	switch {
	case o.MaxPayload == 0:
		o.MaxPayload = defaultMaxPayload
	case o.MaxPayload < 64<<10 || o.MaxPayload > maxMaxPayload:
		return nil, fmt.Errorf("option MaxPayload is %d; use 0 for the default of 5 MiB, or 64 KiB to 8 MiB", o.MaxPayload)
	}
	s := &server.Options{
		ServerName: unique(o.Node),
		// The server makes no routes unless it listens for clients too. Its only client is in
		// this process; nobody else knows the password.
		Host: "127.0.0.1", Port: server.RANDOM_PORT,
		Username: "bennu", Password: rand.Text(), AuthTimeout: serverTime.Seconds(),
		NoSigs:     true,
		MaxPayload: int32(o.MaxPayload),
		Cluster: server.ClusterOpts{
			Name: "bennu", Host: host, Port: port, Advertise: o.Advertise, NoAdvertise: true,
			// One connection to each peer, so that its messages and its interest arrive in
			// order.
			PoolSize:  -1,
			TLSConfig: o.TLS,
			// A peer that vanished is noticed after four intervals; one that was only stopped
			// for two is kept.
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

// probe returns d, or the default of Probe.
func probe(d time.Duration) time.Duration {
	if d <= 0 {
		return cluster.DefaultBeat
	}
	return d
}

// unique returns a name for the server of a node, with a random part. Servers with equal names would not
// connect, so two nodes with one name would not find out.
func unique(node string) string { return node + "/" + strings.ToLower(rand.Text()[:8]) }

// nodeOf returns the node whose server has this name.
func nodeOf(server string) string {
	node, _, _ := strings.Cut(server, "/")
	return node
}

// routePassword derives the password of routes from the secret. It does not reveal the secret, since NATS
// may log it.
func routePassword(secret []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("bennu nats route"))
	return hex.EncodeToString(h.Sum(nil))
}

// hostPort splits a host:port.
func hostPort(s string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(s)
	if err == nil {
		port, err = strconv.Atoi(p)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q is not host:port, such as %s", s, defaultListen)
	}
	return host, port, nil
}

// isLoopback reports whether only this machine can reach a host.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
