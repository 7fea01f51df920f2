package natspubsub

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// Options configure New. Node and URL are required; the zero value of every other
// field is its default. It is copied.
type Options struct {
	// Node is this node's name, unique in the cluster: 1 to 128 letters, digits and
	// -_.@: bytes. A name that is the same after a restart, such as the host's, is best.
	Node string
	// URL is where NATS is: nats://host:4222, tls://, ws:// or wss://, or several of
	// these with commas between. User and password may stand in it.
	URL string
	// User and Password, or Token, are how the server knows this node.
	User, Password string
	Token          string
	// CredentialsFile has a user's JWT and seed, as "nsc generate creds" writes it;
	// SeedFile the seed of an NKey alone.
	CredentialsFile string
	SeedFile        string
	// TLS is used with tls:// URLs and with servers that ask for it. Default: the
	// system's certificates.
	TLS *tls.Config
	// ConnectTimeout bounds each try to connect. Default 2 s, at most a year.
	ConnectTimeout time.Duration

	// Prefix is what all subjects begin with. Applications that share a NATS need
	// different ones. Default "bennu".
	Prefix string
	// Secret signs what nodes send each other: what is not signed with it, or was
	// recorded and is published again, is dropped. At least 16 bytes, the same on every
	// node. Default: nothing is signed, and NATS decides who may publish.
	Secret []byte
	// Buffer bounds, in bytes, what waits for NATS. Default 8 MiB.
	Buffer int
	// Probe is how often the node shows that it is there and looks whether NATS still
	// delivers. When it does not, the node connects again within two of them. Default 5 s.
	Probe time.Duration
	// Logger takes what goes wrong with NATS. Default slog.Default().
	Logger *slog.Logger
}

// New makes an adapter for a NATS server or cluster. It connects when it is started,
// by pubsub.New.
func New(opts *Options) (pubsub.Adapter, error) {
	if opts == nil {
		opts = &Options{}
	}
	o := *opts
	servers, err := checkURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("natspubsub: %w", err)
	}
	auth, err := o.auth()
	if err != nil {
		return nil, fmt.Errorf("natspubsub: %w", err)
	}
	check := option.Checker{Of: "natspubsub: option "}
	timeout := check.Finite("ConnectTimeout", o.ConnectTimeout, nats.DefaultTimeout, option.MaxDuration)
	if check.Err != nil {
		return nil, check.Err
	}
	l := newLink(o.Prefix, o.Probe)
	l.where = servers
	l.options = append(auth, nats.SetCustomDialer(l.dialer(timeout)), nats.Timeout(timeout))
	if o.TLS != nil {
		l.options = append(l.options, nats.Secure(o.TLS))
	}
	l.url = o.URL
	return newNode(cluster.Options{Node: o.Node, Prefix: o.Prefix, Secret: o.Secret, Buffer: o.Buffer, Beat: o.Probe, Logger: o.Logger}, l)
}

func newNode(o cluster.Options, l cluster.Link) (pubsub.Adapter, error) {
	n, err := cluster.New(o, l)
	if err != nil {
		return nil, fmt.Errorf("natspubsub: %w", err)
	}
	return n, nil
}

// checkURL returns the servers as they may be shown: without passwords.
func checkURL(list string) (servers string, err error) {
	if list == "" {
		return "", errors.New("option URL is empty; say where NATS is, for instance nats://localhost:4222")
	}
	var hosts []string
	for one := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Host == "" {
			return "", errors.New("option URL is no URL; it looks like nats://host:4222, or several with commas between")
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return "", fmt.Errorf("option URL has the scheme %q; use nats, tls, ws or wss", u.Scheme)
		}
		hosts = append(hosts, u.Host)
	}
	return strings.Join(hosts, ", "), nil
}

// auth are the options by which the server knows us.
func (o *Options) auth() ([]nats.Option, error) {
	var list []nats.Option
	if o.User != "" || o.Password != "" {
		list = append(list, nats.UserInfo(o.User, o.Password))
	}
	if o.Token != "" {
		list = append(list, nats.Token(o.Token))
	}
	if o.CredentialsFile != "" {
		list = append(list, nats.UserCredentials(o.CredentialsFile))
	}
	if o.SeedFile != "" {
		seed, err := nats.NkeyOptionFromSeed(o.SeedFile)
		if err != nil {
			return nil, fmt.Errorf("option SeedFile: %w", err)
		}
		list = append(list, seed)
	}
	if len(list) > 1 {
		return nil, errors.New("more than one of User, Token, CredentialsFile and SeedFile is set; use the one that the server asks for")
	}
	return list, nil
}
