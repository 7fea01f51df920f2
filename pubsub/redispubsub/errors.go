package redispubsub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// verdict is the meaning of an error of a command, by which the caller decides what to do with the
// message or the connection.
type verdict int

const (
	refused verdict = iota // the server refuses the message, and would refuse it again
	away                   // the server cannot do it now
	moved                  // another server of the cluster has the channel
	broken                 // the connection is lost
)

// judge returns the meaning of an error of a command. An error that the server sent begins with a word
// that names its kind, and is about the command. All other errors are about the connection.
func judge(err error) verdict {
	var told redis.Error
	if !errors.As(err, &told) {
		return broken
	}
	word, _, _ := strings.Cut(told.Error(), " ")
	switch word {
	case "MOVED", "ASK": // for good, or while the slot is being moved
		return moved
	// The server starts, takes part in a failover, moves a slot, runs a script, or has too few
	// replicas. NOAUTH and WRONGPASS are about the login, not about the message.
	case "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "TRYAGAIN", "BUSY", "NOAUTH", "WRONGPASS", "NOREPLICAS":
		return away
	}
	// Its text begins with ERR, like that of most refusals.
	if redis.IsMaxClientsError(err) {
		return away
	}
	return refused
}

// problem is an error in the configuration, so that trying again does not help. Its text says what to
// change. A shard that gets one later still connects again, since the server may be mended.
type problem struct {
	text   string
	is     error // for errors.Is, or nil
	barred bool  // the server answers, and refuses this user
}

func (p *problem) Error() string { return p.text }
func (p *problem) Unwrap() error { return p.is }

// problemf makes a problem that is about no user and has no error to compare with.
func problemf(format string, args ...any) error {
	return &problem{text: fmt.Sprintf(format, args...)}
}

// explain adds to an error of the server at addr what to do about it. It quotes the server and the
// network, but never a password. Errors that it has explained before it returns as they are.
func (t *target) explain(addr string, user login, err error) error {
	var known *problem
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	name := user.name
	if name == "" {
		name = "default"
	}
	which := "Username and Password, or those in URL"
	if t.mode == modeSentinel && user == t.sentinel {
		which = "SentinelUsername and SentinelPassword"
	}
	var told redis.Error
	if errors.As(err, &told) {
		text := told.Error()
		switch {
		// WRONGPASS is of Redis 6 and later, "invalid password" of Redis 5. ERR AUTH means that the
		// server has no password.
		case strings.HasPrefix(text, "WRONGPASS"), strings.HasPrefix(text, "ERR invalid password"), strings.HasPrefix(text, "ERR AUTH"):
			return &problem{fmt.Sprintf("%s refuses the login of user %q (%s); check options %s", addr, name, short(text), which), pubsub.ErrLogin, true}
		// A server without a password answers DENIED to other machines, which Redis calls protected
		// mode.
		case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "DENIED"):
			return &problem{fmt.Sprintf("%s wants a password; set options %s", addr, which), pubsub.ErrLogin, true}
		case strings.HasPrefix(text, "NOPERM"):
			return &problem{fmt.Sprintf("user %q may not do what is needed at %s (%s); the package documentation lists the rules for ACL SETUSER", name, addr, short(text)), nil, true}
		// The answer to CLUSTER SLOTS.
		case strings.Contains(text, "cluster support disabled"):
			return problemf("%s is no node of a cluster; leave option Cluster out", addr)
		case strings.HasPrefix(text, "ERR unknown command"):
			switch {
			case t.mode == modeCluster:
				return problemf("%s is older than Redis 7, which cannot shard pub/sub (%s); use a newer one", addr, short(text))
			case t.mode == modeSentinel:
				return problemf("%s is no Sentinel (%s); list the Sentinels in option Addrs, or leave MasterName out", addr, short(text))
			}
		}
		return fmt.Errorf("%s says: %s", addr, short(text))
	}
	var network *net.OpError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return problemf("%s does not speak TLS; write redis:// and leave option TLS out, or name its port for TLS", addr)
	case errors.As(err, &unknown), errors.As(err, &host):
		return problemf("the certificate of %s is not trusted (%v); set RootCAs, or ServerName, in option TLS", addr, err)
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%s cannot be reached (%w); is the address right, and Redis running?", addr, network.Err)
	case isTimeout(err): // also that of a context
		return fmt.Errorf("%s does not answer in time (%w)", addr, err)
	}
	return fmt.Errorf("the connection to %s broke (%w)", addr, err)
}

// forbidden is explain for a missing permission to a channel: it says how to grant it.
func (l *link) forbidden(addr, what, channel string, err error) error {
	if !noPermission(err) {
		return l.target.explain(addr, l.target.user, err)
	}
	name := l.target.user.name
	if name == "" {
		name = "default"
	}
	rules := fmt.Sprintf("&%s.* +publish +subscribe +unsubscribe +hello", l.prefix)
	if l.target.mode == modeCluster {
		rules = fmt.Sprintf("&%s.* +spublish +ssubscribe +sunsubscribe +cluster|slots +hello", l.prefix)
	}
	return &problem{fmt.Sprintf("user %q may not %s %q at %s (%s); allow it with ACL SETUSER %s %s", name, what, channel, addr, short(err.Error()), name, rules), nil, true}
}

// noPermission reports whether an error says that an ACL forbids the command.
func noPermission(err error) bool {
	var told redis.Error
	return errors.As(err, &told) && strings.HasPrefix(told.Error(), "NOPERM")
}

// noCommand reports whether an error says that an ACL forbids the command for all channels. The text then has
// "no permissions to run the 'subscribe' command", and otherwise "no permissions to access" a channel.
func noCommand(err error) bool {
	return noPermission(err) && strings.Contains(err.Error(), "to run the")
}

// barring reports whether an error says that the server accepts nothing from this node, so that the
// connection can be given up at once.
func barring(err error) bool {
	var told redis.Error
	if !errors.As(err, &told) {
		return false
	}
	switch word, _, _ := strings.Cut(told.Error(), " "); word {
	case "CLUSTERDOWN", "LOADING", "MASTERDOWN", "NOAUTH", "WRONGPASS":
		return true
	}
	return false
}

// isBarred reports whether an error is that of a server that refuses this user.
func isBarred(err error) bool {
	var p *problem
	return errors.As(err, &p) && p.barred
}

// advise adds a likely reason to the error of the first connection. A server that expects TLS closes a
// plain connection at once. One that does not expect it takes the handshake for the beginning of a command,
// and waits for the rest.
func (t *target) advise(err error) error {
	switch {
	case t.tls == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return fmt.Errorf("%w; if it wants TLS, write rediss:// or set option TLS", err)
	case t.tls != nil && isTimeout(err):
		return fmt.Errorf("%w; if it does not speak TLS, write redis:// or leave option TLS out", err)
	}
	return err
}

// isTimeout reports whether an error is a timeout of the network.
func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// short cuts a text of a server to 200 bytes. It goes into errors and logs, and the server decides how
// long it is.
func short(text string) string {
	if len(text) > 200 {
		text = text[:200] + "..."
	}
	return text
}

// awayFor is cluster.ErrAway with a reason. The node then keeps the message and tries again.
func awayFor(err error) error { return fmt.Errorf("%w: %w", cluster.ErrAway, err) }

// safely calls f and turns a panic into an error. In f the library parses data of the server, which
// must not end the program.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal fault: %v", r)
		}
	}()
	return f()
}
