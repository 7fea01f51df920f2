package redispubsub

import (
	"fmt"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// forbidden is explain for a missing permission to a channel: it says how to grant it.
func (l *link) forbidden(addr, what, channel string, err error) error {
	if !redisconn.NoPermission(err) {
		return l.target.Explain(addr, l.target.User, err)
	}
	name := l.target.User.Name
	if name == "" {
		name = "default"
	}
	rules := fmt.Sprintf("&%s.* +publish +subscribe +unsubscribe +hello", l.prefix)
	if l.target.Mode == redisconn.Cluster {
		rules = fmt.Sprintf("&%s.* +spublish +ssubscribe +sunsubscribe +cluster|slots +hello", l.prefix)
	}
	return &redisconn.Problem{Text: fmt.Sprintf("user %q may not %s %q at %s (%s); allow it with ACL SETUSER %s %s", name, what, channel, addr, redisconn.Short(err.Error()), name, rules), Barred: true}
}

// awayFor is cluster.ErrAway with a reason. The node then keeps the message and tries again.
func awayFor(err error) error { return fmt.Errorf("%w: %w", cluster.ErrAway, err) }
