package redispubsub

import (
	"errors"
	"fmt"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// New makes an adapter for pubsub.Options. It does not connect: pubsub.New does that, and fails if a
// server cannot be reached or refuses the login. The error of New says which option is wrong and what
// to write instead. It does not quote passwords. opts is copied.
func New(opts *Options) (pubsub.Adapter, error) {
	if opts == nil {
		return nil, errors.New("redispubsub: the options are nil; set Node and URL at least")
	}
	t, err := redisconn.New(&redisconn.Options{
		URL: opts.URL, Addrs: opts.Addrs, MasterName: opts.MasterName, Cluster: opts.Cluster,
		Username: opts.Username, Password: opts.Password,
		SentinelUsername: opts.SentinelUsername, SentinelPassword: opts.SentinelPassword,
		TLS: opts.TLS, DialTimeout: opts.DialTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("redispubsub: %w", err)
	}
	prefix, probe := opts.Prefix, opts.Probe
	if prefix == "" {
		prefix = cluster.DefaultPrefix
	}
	if probe == 0 {
		probe = cluster.DefaultBeat
	}
	node, err := cluster.New(cluster.Options{
		Node: opts.Node, Prefix: opts.Prefix, Secret: opts.Secret,
		Buffer: opts.Buffer, Beat: opts.Probe, Logger: opts.Logger,
	}, newLink(t, prefix, opts.Node, probe))
	if err != nil {
		return nil, fmt.Errorf("redispubsub: %w", err)
	}
	return node, nil
}
