package redispubsub

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// aclServers are the servers of the tests of permissions: one server, Sentinels and a cluster.
func aclServers(t *testing.T) map[string]func(t *testing.T) (Options, []*redistest.Server) {
	t.Helper()
	return map[string]func(t *testing.T) (Options, []*redistest.Server){
		"single": func(t *testing.T) (Options, []*redistest.Server) {
			s := redistest.Start(t)
			return Options{Addrs: []string{s.Addr}}, []*redistest.Server{s}
		},
		"sentinel": func(t *testing.T) (Options, []*redistest.Server) {
			s := redistest.StartSentinels(t)
			return Options{Addrs: s.Addrs(), MasterName: redistest.MasterName}, []*redistest.Server{s.Master}
		},
		"cluster": func(t *testing.T) (Options, []*redistest.Server) {
			c := redistest.StartCluster(t, 3, false, nil)
			return Options{Addrs: c.Addrs()[:1], Cluster: true}, c.Masters
		},
	}
}

// rules are the ACL rules that the package documentation lists.
var rules = []string{"resetchannels", "&bennu.*", "-@all", "+publish", "+subscribe", "+unsubscribe", "+hello",
	"+spublish", "+ssubscribe", "+sunsubscribe", "+cluster|slots"}

func setUser(t *testing.T, servers []*redistest.Server, rules ...string) {
	t.Helper()
	for _, s := range servers {
		s.Do(t, append([]string{"ACL", "SETUSER", "bennu", "on", ">password"}, rules...)...)
	}
}

var topicLine = regexp.MustCompile(`reason=broker_topic_refused topic=(\w+)`)

// Permissions are revoked while nodes run, and granted again.
func TestPermissionsCut(t *testing.T) {
	t.Parallel()
	cuts := []struct {
		name  string
		rules []string
		says  string
		mute  bool // publishing is refused, too
		quiet bool // existing subscriptions stay
	}{
		{"topics", []string{"resetchannels", "&bennu.c", "&bennu.e*", "&bennu.h.*", "&bennu.n.*", "&bennu.p.*"}, `"bennu.t.`, true, false},
		{"all channels", []string{"resetchannels"}, "may not", true, false},
		{"publish", []string{"-publish", "-spublish"}, "may not publish", true, true},
		{"subscribe", []string{"-subscribe", "-ssubscribe"}, "may not subscribe", false, true},
		{"user", []string{"off"}, "refuses the login", false, false},
	}
	for kind, servers := range aclServers(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o, servers := servers(t)
			setUser(t, servers, rules...)
			o.Username, o.Password, o.Probe = "bennu", "password", probe
			for _, c := range cuts {
				t.Run(c.name, func(t *testing.T) {
					var log waittest.Buffer
					o := o
					o.Logger = slog.New(slog.NewTextHandler(&log, nil))
					a, b := start(t, "a", o), start(t, "b", o)
					boxes := make([]*subscribertest.Box, 10)
					for i := range boxes {
						boxes[i] = subscribe(t, b, fmt.Sprint(i))
					}
					send := func() error {
						return a.Broadcast(&pubsub.Message{Topic: "0", Event: "e", Payload: []byte("{}")})
					}
					setUser(t, servers, c.rules...)
					if c.name == "user" {
						for _, s := range servers {
							s.Do(t, "CLIENT", "KILL", "USER", "bennu", "SKIPME", "yes")
						}
					}
					if c.mute {
						waittest.Until(t, "the publisher knows", func() bool {
							err := send()
							return err != nil && !errors.Is(err, pubsub.ErrBufferFull) || a.Health().Err != nil
						})
					}
					if !c.quiet {
						for _, box := range boxes {
							gapTold(t, box)
						}
					}
					// A subscription that is made now is not confirmed, and gets a gap.
					late := &subscribertest.Box{}
					var sub *pubsub.Subscription
					waittest.Until(t, "who comes now is told", func() bool {
						if sub != nil {
							sub.Cancel()
						}
						late = &subscribertest.Box{}
						sub = b.Subscribe("late", late)
						return waittest.Within(waittest.Patience/30, func() bool { return late.Gaps() > 0 })
					})
					select {
					case <-sub.Ready():
						t.Error("interest is confirmed while it is refused")
					default:
					}
					waittest.Until(t, "health says why", func() bool {
						err := b.Health().Err
						return err != nil && strings.Contains(err.Error(), c.says)
					})
					sub.Cancel()
					waittest.Until(t, "the log says why", func() bool {
						text := log.String()
						return strings.Contains(text, "reason=broker_deaf") || strings.Contains(text, "reason=broker_topic_refused")
					})
					for line := range strings.Lines(log.String()) {
						m := topicLine.FindStringSubmatch(line)
						if m != nil && !strings.Contains(line, "bennu.t."+m[1]+`\"`) {
							t.Errorf("a line quotes the error of another topic: %s", line)
						}
					}

					setUser(t, servers, rules...)
					waittest.Until(t, "all is well", func() bool {
						h := b.Health()
						return a.Health().Err == nil && h.Err == nil && h.Pending == 0
					})
					heals(t, a, b, "0", "1", "2", "again")
				})
			}
		})
	}
}

// A node does not start if its user lacks the channels of topics, or one command. The error names
// the channel and the rules.
func TestMayNotStart(t *testing.T) {
	t.Parallel()
	for kind, servers := range aclServers(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o, servers := servers(t)
			o.Username, o.Password = "bennu", "password"
			for _, c := range []struct {
				rules []string
				want  string
			}{
				{[]string{"resetchannels", "&bennu.c", "&bennu.n.*", "&bennu.p.*"}, `"bennu.t.=nn"`},
				{[]string{"resetchannels", "&bennu.c", "&bennu.t.*", "&bennu.p.*"}, `"bennu.n.n"`},
				{[]string{"resetchannels", "&other.*"}, `"bennu.p.n.`},
				{[]string{"-publish", "-spublish"}, "may not publish to"},
				{[]string{"-subscribe", "-ssubscribe"}, "may not subscribe to"},
			} {
				setUser(t, servers, rules...)
				setUser(t, servers, c.rules...)
				_, err := tryStart(t, "n", o)
				if err == nil || !strings.HasPrefix(err.Error(), "redispubsub: ") || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "ACL SETUSER bennu &bennu.*") {
					t.Errorf("%v: %v, want %s in it, and the rules", c.rules, err, c.want)
				}
			}
			setUser(t, servers, rules...)
			start(t, "n", o)
		})
	}
}

// The rules of the documentation suffice, each line for its kind of server.
func TestDocumentedRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/rules.acl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2", len(lines))
	}
	for kind, servers := range aclServers(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o, servers := servers(t)
			for i, line := range lines {
				rules := strings.Fields(line)
				if o.Cluster {
					rules = slices.DeleteFunc(rules, func(r string) bool { return r == "+publish" || r == "+subscribe" || r == "+unsubscribe" })
				} else if i > 0 {
					break
				}
				for _, s := range servers {
					s.Do(t, rules...)
				}
			}
			o.Username, o.Password = "bennu", "change-me"
			a, b := start(t, "a.b@c:1", o), start(t, "b", o)
			heals(t, a, b, spread...)
			if h := b.Health(); h.Err != nil || a.Health().Err != nil {
				t.Errorf("health: %v, %v", a.Health().Err, h.Err)
			}
		})
	}
}
