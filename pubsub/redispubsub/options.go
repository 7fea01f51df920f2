package redispubsub

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/option"
)

// Options configure New. Node is required, and one of URL and Addrs. The zero value of every other
// field means its default.
type Options struct {
	// Node is the name of this node, unique in the cluster: 1 to 128 ASCII letters, digits and
	// the characters -_.@: A node whose name is in use does not start.
	Node string
	// Prefix begins the names of all channels. It must be the same on every node, and different
	// for applications that share a Redis. Default "bennu".
	Prefix string
	// Secret signs the messages of nodes. Messages that are not signed with it, and recorded
	// ones that are published again, are dropped. At least 16 bytes, the same on every
	// node. Default: messages are not signed.
	Secret []byte
	// Buffer bounds the messages that wait to be published, in bytes. When it is full,
	// Broadcast returns pubsub.ErrBufferFull. Default 8 MiB.
	Buffer int
	// Probe is the time between two messages of the node to itself, which test whether Redis
	// still delivers. If one does not come back, the node connects again within twice this
	// time. At least 10 ms. Default 5 s.
	Probe time.Duration
	// Logger gets errors and refusals. Default slog.Default().
	Logger *slog.Logger

	// URL is the address of the server, or of a node of the cluster:
	//
	//	redis://user:password@host:6379
	//	rediss://host:6379               with TLS
	//	unix:///run/redis/redis.sock
	//
	// User, password and port may be omitted. Special characters of a password must be
	// percent-encoded. A database number is ignored, since channels belong to no database.
	URL string
	// Addrs are the host:port of the server, of the Sentinels if MasterName is set, or of some
	// nodes of a cluster, which know the others.
	Addrs []string
	// MasterName is the name of the master in the Sentinels at Addrs.
	MasterName string
	// Cluster must be set if URL or Addrs are nodes of a Redis Cluster.
	Cluster bool

	// Username and Password are the credentials for the servers, if URL has none. An empty
	// Username means the user "default".
	Username, Password string
	// SentinelUsername and SentinelPassword are the credentials for the Sentinels, which Redis
	// configures apart from those of the servers.
	SentinelUsername, SentinelPassword string
	// TLS is used for all connections, also to Sentinels. An empty ServerName becomes the host
	// of each address. Default nil: no TLS, unless URL starts with rediss://.
	TLS *tls.Config
	// DialTimeout bounds each attempt to connect, login included. Default 3 s.
	DialTimeout time.Duration
}

const defaultDialTimeout = 3 * time.Second

// target has the addresses of the servers and the credentials, after they were checked. It does not
// change, so all goroutines may read it.
type target struct {
	mode        mode
	network     string // tcp or unix
	addrs       []string
	master      string      // "" without Sentinels
	user        login       // for the servers
	sentinel    login       // for the Sentinels
	tls         *tls.Config // nil for none
	dialTimeout time.Duration
}

// mode is the kind of installation: a single server, a master with Sentinels, or a cluster.
type mode int

const (
	modeSingle mode = iota
	modeSentinel
	modeCluster
)

// login has the credentials of a user.
type login struct{ name, password string }

// newTarget checks the options about servers. The caller adds the prefix of the package to errors.
func newTarget(o *Options) (*target, error) {
	t := &target{
		network: "tcp", addrs: append([]string(nil), o.Addrs...), master: o.MasterName,
		user:     login{o.Username, o.Password},
		sentinel: login{o.SentinelUsername, o.SentinelPassword},
		tls:      o.TLS.Clone(), dialTimeout: o.DialTimeout,
	}
	switch {
	case t.dialTimeout == 0:
		t.dialTimeout = defaultDialTimeout
	case t.dialTimeout < 0, t.dialTimeout > option.MaxDuration:
		return nil, fmt.Errorf("option DialTimeout is %v; use 0 for the default of %v, or up to %v", t.dialTimeout, defaultDialTimeout, option.MaxDuration)
	}
	switch {
	case o.URL == "" && len(o.Addrs) == 0:
		return nil, errors.New("option URL is empty; say where Redis is, such as redis://localhost:6379")
	case o.URL != "" && len(o.Addrs) > 0:
		return nil, errors.New("options URL and Addrs are both set; leave one out")
	case o.MasterName != "" && o.Cluster:
		return nil, errors.New("options MasterName and Cluster are both set; a master watched by Sentinels is in no cluster, so leave one out")
	case o.MasterName != "" && o.URL != "":
		return nil, errors.New("options MasterName and URL are both set; list the Sentinels in Addrs")
	case o.MasterName == "" && t.sentinel != login{}:
		return nil, errors.New("options SentinelUsername and SentinelPassword need MasterName")
	case o.MasterName == "" && !o.Cluster && len(o.Addrs) > 1:
		return nil, fmt.Errorf("option Addrs has %d addresses; set MasterName if they are Sentinels, Cluster if they are nodes of a cluster, or leave one", len(o.Addrs))
	}
	switch {
	case o.MasterName != "":
		t.mode = modeSentinel
	case o.Cluster:
		t.mode = modeCluster
	}
	if o.URL != "" {
		if err := t.parse(o.URL); err != nil {
			return nil, err
		}
	}
	// Without a password the client library would not send the name, and Redis would take the
	// user "default".
	for _, l := range []struct {
		login
		name string
	}{{t.user, "Username"}, {t.sentinel, "SentinelUsername"}} {
		if l.login.name != "" && l.password == "" {
			return nil, fmt.Errorf("option %s is set without a password; Redis wants both", l.name)
		}
	}
	if t.network == "unix" {
		return t, nil // its address is a path
	}
	for _, addr := range t.addrs {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("address %q is not host:port, such as localhost:6379 or [::1]:6379", addr)
		}
	}
	return t, nil
}

// parse reads a URL. It sets network, addrs and user, and for rediss also tls, with TLS 1.2 or later.
// The default port is 6379. Its errors do not quote the URL, which may contain a password.
func (t *target) parse(raw string) error {
	const form = "write redis://user:password@host:6379, rediss:// for TLS, or unix:///path"
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("option URL is no URL (are special characters of the password percent-encoded?); " + form)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return errors.New("option URL has parameters, which have no meaning here; " + form)
	}
	if u.User != nil {
		if t.user != (login{}) {
			return errors.New("option URL has a user or password, and so have options Username and Password; say it once")
		}
		t.user.name = u.User.Username()
		t.user.password, _ = u.User.Password()
	}
	switch u.Scheme {
	case "redis", "rediss":
	case "unix":
		switch {
		case t.mode == modeCluster:
			return errors.New("option URL is a Unix socket, and a cluster has several addresses; name one of its nodes by host and port")
		case t.tls != nil:
			return errors.New("option TLS is set, and option URL is a Unix socket; leave TLS out")
		case u.Path == "":
			return errors.New("option URL has no path; " + form)
		}
		t.network, t.addrs = "unix", []string{u.Path}
		return nil
	default:
		return errors.New("option URL does not start with redis://, rediss:// or unix://; " + form)
	}
	if strings.Trim(u.Path, "/0123456789") != "" {
		return errors.New("option URL has a path that is no database number; " + form)
	}
	switch {
	case u.Scheme == "rediss" && t.tls == nil:
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	case u.Scheme == "redis" && t.tls != nil:
		return errors.New("option TLS is set, and option URL starts with redis://; write rediss://")
	}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		return errors.New("option URL has no host; " + form)
	}
	if port == "" {
		port = "6379"
	}
	t.addrs = []string{net.JoinHostPort(host, port)}
	return nil
}
