package redishistory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/redisconn"
)

// failure is an error of a call: class is one of the errors of package history, and cause says more.
type failure struct{ class, cause error }

func (f *failure) Error() string   { return fmt.Sprintf("%v: %v", f.class, f.cause) }
func (f *failure) Unwrap() []error { return []error{f.class, f.cause} }

// unavailable is the error of a call that has certainly done nothing.
func unavailable(cause error) error { return &failure{history.ErrUnavailable, cause} }

// unknown is the error of a call whose answer was lost, so that the server may have run the script, or
// may run it still: what was sent on a connection that broke can arrive.
func unknown(cause error) error { return &failure{history.ErrUnknown, cause} }

var (
	errClosed = errors.New("the store of history in Redis is closed")
	// errGone is the cause when a server has left the cluster.
	errGone = errors.New("the server has left the cluster")
	// errTooManyMoves is the cause when the servers of a cluster send a command on and on.
	errTooManyMoves = errors.New("the servers of the cluster do not agree who has the topic")
)

// explain adds to an error of the server at addr what to do about it. Redis refuses scripts before they
// have written anything, so after an error that the server has sent, nothing was done.
func (r *router) explain(addr string, err error) error {
	var told redis.Error
	if !errors.As(err, &told) {
		return r.target.Explain(addr, r.target.User, err)
	}
	// The rest of this error quotes the command, and so perhaps a payload.
	text, _, _ := strings.Cut(told.Error(), ", with args beginning")
	has := func(part string) bool { return strings.Contains(text, part) }
	name := r.target.User.Name
	if name == "" {
		name = "default"
	}
	switch {
	case has("OOM "):
		return fmt.Errorf("%s has no memory left for history (%s); raise its maxmemory, or keep less", addr, redisconn.Short(text))
	case has("READONLY"):
		return fmt.Errorf("%s is a replica, which takes no writes; the master is looked for (%s)", addr, redisconn.Short(text))
	case has("MISCONF"):
		return fmt.Errorf("%s takes no writes, since it cannot save its data (%s); look at its disk and log", addr, redisconn.Short(text))
	case has("NOREPLICAS"):
		return fmt.Errorf("%s takes no writes, since it has fewer replicas than min-replicas-to-write (%s)", addr, redisconn.Short(text))
	case has("NOPERM"), has("can't run this command or subcommand"), has("No permissions to access a key"), has("ACL failure"):
		return &redisconn.Problem{Text: fmt.Sprintf("user %q may not do what is needed at %s (%s); allow it with ACL SETUSER %s %s",
			name, addr, redisconn.Short(text), name, r.rules()), Barred: true}
	case has("WRONGTYPE"):
		return fmt.Errorf("%s has something else at a key of history (%s); keep other programs from keys that begin with {%s.h., and delete it", addr, redisconn.Short(text), r.prefix)
	case has("nknown Redis command"), has("unknown command"):
		return redisconn.Problemf("%s is older than Redis 5, or has renamed a command (%s); history needs streams and scripts", addr, redisconn.Short(text))
	}
	return r.target.Explain(addr, r.target.User, err)
}

// rules are the ACL rules that a user needs.
func (r *router) rules() string {
	rules := "~{" + r.prefix + ".h.* " + commands
	if r.target.Mode == redisconn.Cluster {
		rules += " +cluster|slots +asking"
	}
	return rules
}

// commands are the commands that a user needs: those to run scripts, and those of the scripts.
const commands = "+eval +evalsha +hello +time +hmget +hset +hlen +hgetall +hdel +xadd +xrange +xrevrange +xtrim +pexpire +pttl +set +get +del"

// ended is the error of a call whose context has ended before it was sent.
func ended(ctx context.Context) error { return unavailable(context.Cause(ctx)) }
