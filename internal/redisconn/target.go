package redisconn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/option"
)

// Options say which servers there are, and how to log in. The options of packages that use this one
// have fields of the same names, where they are documented.
type Options struct {
	URL                                string
	Addrs                              []string
	MasterName                         string
	Cluster                            bool
	Username, Password                 string
	SentinelUsername, SentinelPassword string
	TLS                                *tls.Config
	DialTimeout                        time.Duration
}

const defaultDialTimeout = 3 * time.Second

// Target has the addresses of the servers and the credentials, after they were checked. It does not
// change, so all goroutines may read it.
type Target struct {
	Mode        Mode
	Addrs       []string
	User        Login       // for the servers
	TLS         *tls.Config // nil for none
	network     string      // tcp or unix
	master      string      // "" without Sentinels
	sentinel    Login       // for the Sentinels
	dialTimeout time.Duration
}

// Mode is the kind of installation: a single server, a master with Sentinels, or a cluster.
type Mode int

// The modes.
const (
	Single Mode = iota
	Sentinel
	Cluster
)

// Login has the credentials of a user.
type Login struct{ Name, Password string }

// New checks the options about servers. The caller adds the prefix of the package to errors.
func New(o *Options) (*Target, error) {
	t := &Target{
		network: "tcp", Addrs: append([]string(nil), o.Addrs...), master: o.MasterName,
		User:     Login{o.Username, o.Password},
		sentinel: Login{o.SentinelUsername, o.SentinelPassword},
		TLS:      o.TLS.Clone(), dialTimeout: o.DialTimeout,
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
	case o.MasterName == "" && t.sentinel != Login{}:
		return nil, errors.New("options SentinelUsername and SentinelPassword need MasterName")
	case o.MasterName == "" && !o.Cluster && len(o.Addrs) > 1:
		return nil, fmt.Errorf("option Addrs has %d addresses; set MasterName if they are Sentinels, Cluster if they are nodes of a cluster, or leave one", len(o.Addrs))
	}
	switch {
	case o.MasterName != "":
		t.Mode = Sentinel
	case o.Cluster:
		t.Mode = Cluster
	}
	if o.URL != "" {
		if err := t.parse(o.URL); err != nil {
			return nil, err
		}
	}
	// Without a password the client library would not send the name, and Redis would take the
	// user "default".
	for _, l := range []struct {
		Login
		name string
	}{{t.User, "Username"}, {t.sentinel, "SentinelUsername"}} {
		if l.Login.Name != "" && l.Password == "" {
			return nil, fmt.Errorf("option %s is set without a password; Redis wants both", l.name)
		}
	}
	if t.network == "unix" {
		return t, nil // its address is a path
	}
	for _, addr := range t.Addrs {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("address %q is not host:port, such as localhost:6379 or [::1]:6379", addr)
		}
	}
	return t, nil
}

// parse reads a URL. It sets network, addrs and user, and for rediss also tls, with TLS 1.2 or later.
// The default port is 6379. Its errors do not quote the URL, which may contain a password.
func (t *Target) parse(raw string) error {
	const form = "write redis://user:password@host:6379, rediss:// for TLS, or unix:///path"
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("option URL is no URL (are special characters of the password percent-encoded?); " + form)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return errors.New("option URL has parameters, which have no meaning here; " + form)
	}
	if u.User != nil {
		if t.User != (Login{}) {
			return errors.New("option URL has a user or password, and so have options Username and Password; say it once")
		}
		t.User.Name = u.User.Username()
		t.User.Password, _ = u.User.Password()
	}
	switch u.Scheme {
	case "redis", "rediss":
	case "unix":
		switch {
		case t.Mode == Cluster:
			return errors.New("option URL is a Unix socket, and a cluster has several addresses; name one of its nodes by host and port")
		case t.TLS != nil:
			return errors.New("option TLS is set, and option URL is a Unix socket; leave TLS out")
		case u.Path == "":
			return errors.New("option URL has no path; " + form)
		}
		t.network, t.Addrs = "unix", []string{u.Path}
		return nil
	default:
		return errors.New("option URL does not start with redis://, rediss:// or unix://; " + form)
	}
	if strings.Trim(u.Path, "/0123456789") != "" {
		return errors.New("option URL has a path that is no database number; " + form)
	}
	switch {
	case u.Scheme == "rediss" && t.TLS == nil:
		t.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	case u.Scheme == "redis" && t.TLS != nil:
		return errors.New("option TLS is set, and option URL starts with redis://; write rediss://")
	}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		return errors.New("option URL has no host; " + form)
	}
	if port == "" {
		port = "6379"
	}
	t.Addrs = []string{net.JoinHostPort(host, port)}
	return nil
}
