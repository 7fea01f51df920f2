package redispubsub

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/pubsub"
)

// The error of the first connection is a sentence with the cause, without the password.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	plain := redistest.Start(t)
	locked := redistest.Start(t, "--requirepass", secret+"-right")
	locked.Login(secret + "-right")
	cluster := redistest.Start(t, redistest.ClusterArgs...)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", strings.TrimPrefix(plain.Addr, "127.0.0.1:"))
	for user, rules := range map[string][]string{
		"mute":    {"&bennu.*", "+subscribe", "+unsubscribe", "+hello"},
		"deaf":    {"&bennu.*", "+publish", "+hello"},
		"foreign": {"&other.*", "+@pubsub", "+hello"},
		"bare":    {"&bennu.*", "+publish", "+subscribe", "+unsubscribe"},
		"right":   {"&bennu.*", "+publish", "+subscribe", "+unsubscribe", "+hello"},
	} {
		plain.Do(t, append([]string{"ACL", "SETUSER", user, "on", ">" + secret, "resetchannels"}, rules...)...)
	}
	user := func(name string) Options {
		return Options{Addrs: []string{plain.Addr}, Username: name, Password: secret}
	}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"nobody there", Options{Addrs: []string{testport.Addr(t)}}, "cannot be reached"},
		{"no socket", Options{URL: "unix:///nowhere/redis.sock"}, "cannot be reached"},
		{"no password", Options{Addrs: []string{locked.Addr}}, "wants a password"},
		{"wrong password", Options{Addrs: []string{locked.Addr}, Password: secret}, `refuses the login of user "default"`},
		{"wrong password in URL", Options{URL: "redis://u:" + secret + "@" + locked.Addr}, `refuses the login of user "u"`},
		{"may not publish", user("mute"), `user "mute" may not`},
		{"may not subscribe", user("deaf"), `user "deaf" may not`},
		{"other channels", user("foreign"), `user "foreign" may not`},
		{"everything allowed", user("right"), ""},
		{"without hello", user("bare"), ""},
		{"a cluster", Options{Addrs: []string{cluster.Addr}}, "set option Cluster"},
		{"no cluster", Options{Addrs: []string{plain.Addr}, Cluster: true}, "leave option Cluster out"},
		{"half a cluster", Options{Addrs: []string{cluster.Addr}, Cluster: true}, "no node serves slot 0"},
		{"a replica", Options{Addrs: []string{replica.Addr}}, "is a replica"},
		{"no Sentinel", Options{Addrs: []string{plain.Addr}, MasterName: "m"}, "is no Sentinel"},
		{"TLS at a plain port", Options{URL: "rediss://" + plain.Addr, DialTimeout: time.Second}, "does not speak TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tryStart(t, "n", c.o)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("does not start: %v", err)
			case c.want != "" && err == nil:
				t.Error("starts")
			case c.want != "" && (!strings.HasPrefix(err.Error(), "redispubsub: ") || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%q, want %q in it", err, c.want)
			case strings.Contains(c.name, "password") != errors.Is(err, pubsub.ErrLogin):
				t.Errorf("%v: ErrLogin is wrapped, or not, against the facts", err)
			case c.want != "" && strings.Contains(err.Error(), secret):
				t.Errorf("%q shows the password", err)
			default:
				t.Log(err)
			}
		})
	}
}

// TLS with a self-signed certificate, and a user with only the permissions that are needed.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := redistest.StartTLS(t)
	s.Do(t, "ACL", "SETUSER", "bennu", "on", ">p@ss/word", "resetchannels", "&bennu.*", "+publish", "+subscribe", "+unsubscribe", "+hello")

	if _, err := tryStart(t, "n", Options{URL: s.URL, DialTimeout: redistest.Patience}); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "p@ss") {
		t.Errorf("a certificate nobody knows: %v", err)
	}
	if _, err := tryStart(t, "n", Options{URL: strings.Replace(s.URL, "rediss", "redis", 1), DialTimeout: redistest.Patience}); err == nil || !strings.Contains(err.Error(), "if it wants TLS") {
		t.Errorf("without TLS: %v", err)
	}
	a := start(t, "a", Options{URL: s.URL, DialTimeout: redistest.Patience, TLS: &tls.Config{RootCAs: s.Roots}})
	b := start(t, "b", Options{Addrs: []string{s.Addr}, Username: "bennu", Password: "p@ss/word", DialTimeout: redistest.Patience, TLS: &tls.Config{RootCAs: s.Roots}})
	c := start(t, "c", Options{URL: s.Socket})
	atB, atC := subscribe(t, b, "t"), subscribe(t, c, "t")
	publish(t, a, "t", "1")
	atB.Want(t, "what came", "1")
	atC.Want(t, "what came", "1")
	s.Do(t, "CLIENT", "KILL", "TYPE", "pubsub")
	gapTold(t, atB)
	heals(t, a, b, "t2")
}
