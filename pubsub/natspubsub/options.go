package natspubsub

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/natsdial"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// Options configure New. Node and URL are required. The zero value of every other field means its
// default. New copies them.
type Options struct {
	// Node is the name of this node, unique in the cluster: 1 to 128 ASCII letters, digits and
	// the characters -_.@: A node whose name is in use does not start. Best is a name that stays
	// the same after a restart, such as that of the host.
	Node string
	// URL is the address of NATS, such as nats://host:4222, with the scheme nats, tls, ws or
	// wss, or several addresses separated by commas. It may contain user and password.
	URL string
	// User and Password are the credentials of this node, or Token, or one of the files below. At
	// most one of the four kinds may be set.
	User, Password string
	Token          string
	// CredentialsFile is the name of a file with the JWT and the seed of a user, as "nsc
	// generate creds" writes it. SeedFile is the name of a file with the seed of an NKey.
	CredentialsFile string
	SeedFile        string
	// TLS is used for tls:// URLs, and for servers that demand TLS. Default: the certificates
	// of the system.
	TLS *tls.Config
	// ConnectTimeout bounds each attempt to connect. At most a year. Default 2 s.
	ConnectTimeout time.Duration

	// Prefix begins all subjects. It must be the same on every node, and different for
	// applications that share a NATS. Default "bennu".
	Prefix string
	// Secret signs the messages of nodes. Messages that are not signed with it, and recorded
	// ones that are published again, are dropped. At least 16 bytes, the same on every
	// node. Default: messages are not signed, and only NATS decides who may publish.
	Secret []byte
	// Buffer bounds the messages that wait to be published, in bytes. When it is full, Broadcast
	// returns pubsub.ErrBufferFull. Default 8 MiB.
	Buffer int
	// Probe is the time between two messages of this node that test whether NATS still
	// delivers, and show the other nodes that it is alive. If NATS does not deliver, the node
	// connects again within twice this time. Default 5 s.
	Probe time.Duration
	// Logger gets errors and refusals. Default slog.Default().
	Logger *slog.Logger
}

// New makes an adapter for an existing NATS server or cluster, for pubsub.Options. It does not connect:
// pubsub.New does that, and fails if no server answers or the login is refused. The error of New says
// which option is wrong and what to write instead.
func New(opts *Options) (pubsub.Adapter, error) {
	if opts == nil {
		opts = &Options{}
	}
	o := *opts
	servers, err := natsdial.Servers(o.URL)
	if err != nil {
		return nil, fmt.Errorf("natspubsub: %w", err)
	}
	login := natsdial.Login{User: o.User, Password: o.Password, Token: o.Token, CredentialsFile: o.CredentialsFile, SeedFile: o.SeedFile}
	auth, err := login.Options()
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

// newNode makes the node of a link.
func newNode(o cluster.Options, l cluster.Link) (pubsub.Adapter, error) {
	n, err := cluster.New(o, l)
	if err != nil {
		return nil, fmt.Errorf("natspubsub: %w", err)
	}
	return n, nil
}
