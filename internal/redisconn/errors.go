package redisconn

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
)

// Verdict is the meaning of an error of a command, by which the caller decides what to do with the
// command or the connection.
type Verdict int

const (
	Refused Verdict = iota // the server refuses the command, and would refuse it again
	Away                   // the server cannot do it now
	Moved                  // another server of the cluster has the key or channel
	Broken                 // the connection is lost
)

// Judge returns the meaning of an error of a command. An error that the server sent begins with a word
// that names its kind, and is about the command. All other errors are about the connection.
func Judge(err error) Verdict {
	var told redis.Error
	if !errors.As(err, &told) {
		return Broken
	}
	word, _, _ := strings.Cut(told.Error(), " ")
	switch word {
	case "MOVED", "ASK": // for good, or while the slot is being moved
		return Moved
	// The server starts, takes part in a failover, moves a slot, runs a script, or has too few
	// replicas. NOAUTH and WRONGPASS are about the login, not about the message.
	case "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "TRYAGAIN", "BUSY", "NOAUTH", "WRONGPASS", "NOREPLICAS":
		return Away
	}
	// Its text begins with ERR, like that of most refusals.
	if redis.IsMaxClientsError(err) {
		return Away
	}
	return Refused
}

// Problem is an error in the configuration, so that trying again does not help. Its text says what to
// change. After the start it is tried again all the same, since the server may be mended.
type Problem struct {
	Text   string
	Is     error // for errors.Is, or nil
	Barred bool  // the server answers, and refuses this user
}

func (p *Problem) Error() string { return p.Text }
func (p *Problem) Unwrap() error { return p.Is }

// Problemf makes a problem that is about no user and has no error to compare with.
func Problemf(format string, args ...any) error {
	return &Problem{Text: fmt.Sprintf(format, args...)}
}

// Explain adds to an error of the server at addr what to do about it. It quotes the server and the
// network, but never a password. Errors that it has explained before it returns as they are.
func (t *Target) Explain(addr string, user Login, err error) error {
	var known *Problem
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	name := user.Name
	if name == "" {
		name = "default"
	}
	which := "Username and Password, or those in URL"
	if t.Mode == Sentinel && user == t.sentinel {
		which = "SentinelUsername and SentinelPassword"
	}
	var told redis.Error
	if errors.As(err, &told) {
		text := told.Error()
		switch {
		// WRONGPASS is of Redis 6 and later, "invalid password" of Redis 5. ERR AUTH means that the
		// server has no password.
		case strings.HasPrefix(text, "WRONGPASS"), strings.HasPrefix(text, "ERR invalid password"), strings.HasPrefix(text, "ERR AUTH"):
			return &Problem{fmt.Sprintf("%s refuses the login of user %q (%s); check options %s", addr, name, Short(text), which), pubsub.ErrLogin, true}
		// A server without a password answers DENIED to other machines, which Redis calls protected
		// mode.
		case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "DENIED"):
			return &Problem{fmt.Sprintf("%s wants a password; set options %s", addr, which), pubsub.ErrLogin, true}
		case strings.HasPrefix(text, "NOPERM"):
			return &Problem{fmt.Sprintf("user %q may not do what is needed at %s (%s); the package documentation lists the rules for ACL SETUSER", name, addr, Short(text)), nil, true}
		// The answer to CLUSTER SLOTS.
		case strings.Contains(text, "cluster support disabled"):
			return Problemf("%s is no node of a cluster; leave option Cluster out", addr)
		case strings.HasPrefix(text, "ERR unknown command"):
			switch {
			case t.Mode == Cluster && strings.Contains(strings.ToLower(text), "ssubscribe"):
				return Problemf("%s is older than Redis 7, which cannot shard pub/sub (%s); use a newer one", addr, Short(text))
			case t.Mode == Sentinel:
				return Problemf("%s is no Sentinel (%s); list the Sentinels in option Addrs, or leave MasterName out", addr, Short(text))
			}
		}
		return fmt.Errorf("%s says: %s", addr, Short(text))
	}
	var network *net.OpError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return Problemf("%s does not speak TLS; write redis:// and leave option TLS out, or name its port for TLS", addr)
	case errors.As(err, &unknown), errors.As(err, &host):
		return Problemf("the certificate of %s is not trusted (%v); set RootCAs, or ServerName, in option TLS", addr, err)
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%s cannot be reached (%w); is the address right, and Redis running?", addr, network.Err)
	case isTimeout(err): // also that of a context
		return fmt.Errorf("%s does not answer in time (%w)", addr, err)
	}
	return fmt.Errorf("the connection to %s broke (%w)", addr, err)
}

// NoPermission reports whether an error says that an ACL forbids the command.
func NoPermission(err error) bool {
	var told redis.Error
	return errors.As(err, &told) && strings.HasPrefix(told.Error(), "NOPERM")
}

// NoCommand reports whether an error says that an ACL forbids the command for all channels. The text then has
// "no permissions to run the 'subscribe' command", and otherwise "no permissions to access" a channel.
func NoCommand(err error) bool {
	return NoPermission(err) && strings.Contains(err.Error(), "to run the")
}

// Barring reports whether an error says that the server accepts nothing from this node, so that the
// Connection can be given up at once.
func Barring(err error) bool {
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

// IsBarred reports whether an error is that of a server that refuses this user.
func IsBarred(err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.Barred
}

// Advise adds a likely reason to the error of the first connection. A server that expects TLS closes a
// plain connection at once. One that does not expect it takes the handshake for the beginning of a command,
// and waits for the rest.
func (t *Target) Advise(err error) error {
	switch {
	case t.TLS == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return fmt.Errorf("%w; if it wants TLS, write rediss:// or set option TLS", err)
	case t.TLS != nil && isTimeout(err):
		return fmt.Errorf("%w; if it does not speak TLS, write redis:// or leave option TLS out", err)
	}
	return err
}

// isTimeout reports whether an error is a timeout of the network.
func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// Short cuts a text of a server to 200 bytes. It goes into errors and logs, and the server decides how
// long it is.
func Short(text string) string {
	if len(text) > 200 {
		text = text[:200] + "..."
	}
	return text
}

// Safely calls f and turns a panic into an error. In f the library parses data of the server, which
// must not end the program.
func Safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal fault: %v", r)
		}
	}()
	return f()
}
