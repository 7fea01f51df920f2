package redishistory

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Options configure New. One of URL and Addrs is required. The zero value of every other field means its
// default. The fields that say where Redis is are those of redispubsub.Options.
type Options struct {
	// Prefix begins the names of all keys. It must be the same on every node, and different for
	// applications that share a Redis. Default "bennu".
	Prefix string

	// URL is the address of the server, or of a node of the cluster:
	//
	//	redis://user:password@host:6379
	//	rediss://host:6379               with TLS
	//	unix:///run/redis/redis.sock
	//
	// User, password and port may be omitted. Special characters of a password must be
	// percent-encoded. A database number is ignored: keys are in database 0.
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
	// Logger is told of data of others in a history. Errors are those of the methods. Default
	// slog.Default().
	Logger *slog.Logger
}

// defaultPrefix is the default of Options.Prefix.
const defaultPrefix = "bennu"

// prefix returns the prefix of the names of keys. It has no braces, which would begin a hash tag, and
// nothing that means something in the pattern of an ACL. The keys of the prefix "a.h" could be those of the
// prefix "a", whose names go on with ".h.".
func (o *Options) prefix() (string, error) {
	p := o.Prefix
	if p == "" {
		return defaultPrefix, nil
	}
	valid := len(p) <= 64 && p[0] != '.' && p[len(p)-1] != '.'
	for i := range len(p) {
		c := p[i]
		valid = valid && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if strings.Contains(p+".", ".h.") {
		return "", fmt.Errorf("option Prefix is %q; its keys could be those of another prefix: use another word than h behind a dot", p)
	}
	if !valid {
		return "", fmt.Errorf("option Prefix is %q; use 1 to 64 letters, digits, - and _, with dots between them if need be", p)
	}
	return p, nil
}
