package redispubsub

import (
	"crypto/tls"
	"log/slog"
	"time"
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
