package redisconn

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Check asks the server at addr for its kind, role and version, with HELLO
// (https://redis.io/docs/latest/commands/hello/), and returns its version. It returns a Problem if the
// kind does not fit the options, or the server is not a master. The version is "" if the server does not
// tell: HELLO is unknown before Redis 6, and may be forbidden. Other errors mean that the server cannot
// answer now.
func (t *Target) Check(ctx context.Context, c *redis.Conn, addr string) (version string, err error) {
	told, err := c.Hello(ctx, 2, "", "", "").Result()
	var said redis.Error
	if errors.As(err, &said) {
		if Judge(err) == Away {
			return "", err
		}
		return "", nil // nothing can be checked
	}
	if err != nil {
		return "", err
	}
	kind, role := fmt.Sprint(told["mode"]), fmt.Sprint(told["role"])
	switch {
	case kind == "sentinel":
		return "", Problemf("%s is a Sentinel; set option MasterName, and list the Sentinels in Addrs", addr)
	case kind == "cluster" && t.Mode != Cluster:
		return "", Problemf("%s is a node of a cluster; set option Cluster", addr)
	case kind == "standalone" && t.Mode == Cluster:
		return "", Problemf("%s is no node of a cluster; leave option Cluster out", addr)
	case role == "replica" || role == "slave":
		return "", Problemf("%s is a replica, and nodes must meet at the master; name that one, or use Sentinel", addr)
	}
	return fmt.Sprint(told["version"]), nil
}
