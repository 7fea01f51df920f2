package redisconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Locate asks the Sentinels, one after the other, for the address of the master. Each has DialTimeout and
// CallTimeout to answer. The error is that of the first one.
func (t *Target) Locate(ctx context.Context) (string, error) {
	var first error
	for _, sentinel := range t.Addrs {
		var master []string
		err := t.Ask(ctx, sentinel, t.sentinel, func(ctx context.Context, c *redis.Conn) error {
			// The answer is a list of host and port, or null if it does not watch that master
			// (https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/).
			cmd := redis.NewStringSliceCmd(ctx, "sentinel", "get-master-addr-by-name", t.master)
			_ = c.Process(ctx, cmd)
			var err error
			master, err = cmd.Result()
			return err
		})
		switch {
		case errors.Is(err, redis.Nil):
			err = Problemf("the Sentinel at %s knows no master %q; check option MasterName", sentinel, t.master)
		case err == nil && len(master) == 2:
			return net.JoinHostPort(master[0], master[1]), nil
		case err == nil:
			err = fmt.Errorf("the Sentinel at %s names no address", sentinel)
		}
		if first == nil {
			first = t.Explain(sentinel, t.sentinel, err)
		}
	}
	return "", first
}

// Map has the address of the master for each slot. It takes 256 KiB.
type Map [Slots]string

// AskMap asks one node of the cluster for its map. It is an error if the map is not complete.
func (t *Target) AskMap(ctx context.Context, addr string) (*Map, error) {
	var slots []redis.ClusterSlot
	err := t.Ask(ctx, addr, t.User, func(ctx context.Context, c *redis.Conn) (err error) {
		// CLUSTER SHARDS is newer, but also lists masters that have failed.
		cmd := redis.NewClusterSlotsCmd(ctx, "cluster", "slots")
		_ = c.Process(ctx, cmd)
		slots, err = cmd.Result()
		return err
	})
	if err != nil {
		return nil, t.Explain(addr, t.User, err)
	}
	m := new(Map)
	for _, part := range slots {
		if len(part.Nodes) == 0 || part.Start < 0 || part.End >= Slots {
			continue
		}
		for i := part.Start; i <= part.End; i++ {
			m[i] = reachable(part.Nodes[0].Addr, addr) // the first is the master
		}
	}
	if i := slices.Index(m[:], ""); i >= 0 {
		return nil, fmt.Errorf("no node serves slot %d of the cluster, says %s; redis-cli --cluster check tells more", i, addr)
	}
	return m, nil
}

// reachable returns the address of a node that the node at from has sent. A node that does not know
// its own host omits it, and one behind a mapped port knows only its loopback address.
func reachable(addr, from string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	by, _, err := net.SplitHostPort(from)
	if err != nil {
		return addr
	}
	if host == "" || host == "?" || loopback(host) && !loopback(by) {
		host = by
	}
	return net.JoinHostPort(host, port)
}

// loopback reports whether a host is the machine itself.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Hint returns the address in a MOVED error, such as "MOVED 3999 10.0.0.2:6379", or "" if the error is another
// one or has no host.
func Hint(err error) string {
	addr, _ := redis.IsMovedError(err)
	if host, _, err := net.SplitHostPort(addr); err != nil || host == "" {
		return ""
	}
	return addr
}
