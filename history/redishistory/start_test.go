package redishistory

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/pubsub"
)

// The error of New is a sentence with the cause, without the password.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	plain := redistest.Start(t)
	locked := redistest.Start(t, "--requirepass", secret+"-right")
	locked.Login(secret + "-right")
	full := redistest.Start(t, "--maxmemory", "1")
	old := redistest.Start(t, "--rename-command", "XADD", "")
	cluster := redistest.Start(t, redistest.ClusterArgs...)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", strings.TrimPrefix(plain.Addr, "127.0.0.1:"))
	for user, rules := range map[string]string{
		"right": "~{bennu.h.* " + commands, "mute": "~{bennu.h.* " + strings.Replace(commands, "+xadd ", "", 1),
		"foreign": "~other.* " + commands, "bare": "~{bennu.h.* +hello",
	} {
		plain.Do(t, append([]string{"ACL", "SETUSER", user, "on", ">" + secret}, strings.Fields(rules)...)...)
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
		{"no password", Options{Addrs: []string{locked.Addr}}, "wants a password"},
		{"wrong password", Options{Addrs: []string{locked.Addr}, Password: secret}, `refuses the login of user "default"`},
		{"everything allowed", user("right"), ""},
		{"no stream", user("mute"), `allow it with ACL SETUSER mute ~{bennu.h.* +eval`},
		{"other keys", user("foreign"), `user "foreign" may not`},
		{"no scripts", user("bare"), `user "bare" may not`},
		{"no memory", Options{Addrs: []string{full.Addr}}, "no memory left"},
		{"no streams", Options{Addrs: []string{old.Addr}}, "older than Redis 5"},
		{"a cluster", Options{Addrs: []string{cluster.Addr}}, "set option Cluster"},
		{"no cluster", Options{Addrs: []string{plain.Addr}, Cluster: true}, "leave option Cluster out"},
		{"a replica", Options{Addrs: []string{replica.Addr}}, "is a replica"},
		{"no Sentinel", Options{Addrs: []string{plain.Addr}, MasterName: "m"}, "is no Sentinel"},
		{"TLS at a plain port", Options{URL: "rediss://" + plain.Addr, DialTimeout: time.Second}, "does not speak TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := tryStart(c.o)
			if err == nil {
				defer func() { _ = s.Close(t.Context()) }()
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("does not start: %v", err)
			case c.want == "":
			case err == nil:
				t.Error("starts")
			case !strings.HasPrefix(err.Error(), "redishistory: ") || !strings.Contains(err.Error(), c.want):
				t.Errorf("%q, want %q in it", err, c.want)
			case strings.Contains(c.name, "password") != errors.Is(err, pubsub.ErrLogin):
				t.Errorf("%v: ErrLogin is wrapped, or not, against the facts", err)
			case strings.Contains(err.Error(), secret):
				t.Errorf("%q shows the password", err)
			default:
				t.Log(err)
			}
		})
	}
}

// The rules of the documentation suffice, each line for its kind of server, and are those of errors.
func TestDocumentedRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/rules.acl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "~{bennu.h.* "+commands) {
		t.Fatalf("the rules are %q", lines)
	}
	use := func(t *testing.T, o Options, servers []*redistest.Server, lines []string) {
		for _, s := range servers {
			for _, line := range lines {
				s.Do(t, strings.Fields(line)...)
			}
		}
		o.Username, o.Password = "bennu", "change-me"
		st := start(t, o)
		for i := range 20 {
			e := &history.Entry{Event: "e", Payload: []byte("{}"), Boot: "b", Number: 1}
			topic := fmt.Sprint("topic:", i)
			if _, err := st.Append(t.Context(), topic, e, &history.AppendOptions{Keep: plenty, Key: "k"}); err != nil {
				t.Errorf("Append: %v", err)
			}
			if _, err := st.Read(t.Context(), topic, 0, &history.ReadOptions{Keep: plenty, Entries: 1, Bytes: 1}); err != nil {
				t.Errorf("Read: %v", err)
			}
		}
	}
	t.Run("single", func(t *testing.T) {
		s := redistest.Start(t)
		use(t, Options{Addrs: []string{s.Addr}}, []*redistest.Server{s}, lines[:1])
	})
	t.Run("cluster", func(t *testing.T) {
		c := redistest.StartCluster(t, 3, false, nil)
		use(t, Options{Addrs: c.Addrs()[:1], Cluster: true}, c.Masters, lines)
	})
}

// TLS with a self-signed certificate, a password that must be escaped, and a Unix socket.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := redistest.StartTLS(t)
	s.Do(t, append([]string{"ACL", "SETUSER", "bennu", "on", ">p@ss/word", "~{bennu.h.*"}, strings.Fields(commands)...)...)

	if _, err := tryStart(Options{URL: s.URL}); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "p@ss") {
		t.Errorf("a certificate nobody knows: %v", err)
	}
	if _, err := tryStart(Options{URL: strings.Replace(s.URL, "rediss", "redis", 1)}); err == nil || !strings.Contains(err.Error(), "if it wants TLS") {
		t.Errorf("without TLS: %v", err)
	}
	a := start(t, Options{URL: s.URL, TLS: &tls.Config{RootCAs: s.Roots}})
	b := start(t, Options{URL: s.Socket})
	p := add(t, a, "t", 1)
	if h := headOf(t, b, "t"); h.Offset != p.Offset {
		t.Errorf("the head is %+v, want %+v", h, p)
	}
}
