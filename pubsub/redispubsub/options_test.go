package redispubsub

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	one := []string{"localhost:6379"}
	two := []string{"a:1", "b:2"}
	for _, c := range []struct {
		name string
		o    Options
		want string // in the error; "" for none
	}{
		{"one address", Options{Addrs: one}, ""},
		{"IPv6", Options{Addrs: []string{"[::1]:6379"}}, ""},
		{"Sentinels", Options{Addrs: two, MasterName: "m", SentinelPassword: "p"}, ""},
		{"cluster", Options{Addrs: two, Cluster: true, Username: "u", Password: "p"}, ""},
		{"cluster by URL", Options{URL: "redis://h", Cluster: true}, ""},
		{"URL", Options{URL: "redis://user:p%40ss@h:1/0"}, ""},
		{"URL with TLS", Options{URL: "rediss://h", TLS: &tls.Config{ServerName: "x"}}, ""},
		{"socket", Options{URL: "unix:///run/redis.sock"}, ""},
		{"nothing", Options{}, "option URL is empty"},
		{"both", Options{URL: "redis://h", Addrs: one}, "URL and Addrs are both set"},
		{"Sentinel and cluster", Options{Addrs: two, MasterName: "m", Cluster: true}, "MasterName and Cluster"},
		{"Sentinel by URL", Options{URL: "redis://h", MasterName: "m"}, "MasterName and URL"},
		{"Sentinel's password alone", Options{Addrs: one, SentinelPassword: "p"}, "need MasterName"},
		{"several servers", Options{Addrs: two}, "Addrs has 2 addresses"},
		{"no port", Options{Addrs: []string{"localhost"}}, `"localhost" is not host:port`},
		{"user alone", Options{Addrs: one, Username: "u"}, "Username is set without a password"},
		{"Sentinel's user alone", Options{Addrs: one, MasterName: "m", SentinelUsername: "u"}, "SentinelUsername is set without a password"},
		{"two passwords", Options{URL: "redis://:hunter2@h", Password: "hunter2"}, "say it once"},
		{"bad URL", Options{URL: "redis://u:hunter2%zz@h"}, "no URL"},
		{"scheme", Options{URL: "http://u:hunter2@h"}, "does not start with redis://"},
		{"parameters", Options{URL: "redis://u:hunter2@h?db=1"}, "has parameters"},
		{"path", Options{URL: "redis://u:hunter2@h/hunter2"}, "no database number"},
		{"no host", Options{URL: "redis://:hunter2@"}, "has no host"},
		{"no path", Options{URL: "unix://"}, "has no path"},
		{"socket of a cluster", Options{URL: "unix:///s", Cluster: true}, "several addresses"},
		{"socket with TLS", Options{URL: "unix:///s", TLS: &tls.Config{}}, "leave TLS out"},
		{"TLS without rediss", Options{URL: "redis://h", TLS: &tls.Config{}}, "write rediss://"},
		{"dial timeout", Options{Addrs: one, DialTimeout: -1}, "option DialTimeout"},
		{"node", Options{Addrs: one, Node: "a b"}, "option Node"},
		{"prefix", Options{Addrs: one, Prefix: "{x}"}, "option Prefix"},
		{"secret", Options{Addrs: one, Secret: []byte("short")}, "option Secret"},
		{"buffer", Options{Addrs: one, Buffer: -1}, "option Buffer"},
		{"probe", Options{Addrs: one, Probe: time.Nanosecond}, "option Probe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.o.Node == "" {
				c.o.Node = "n"
			}
			_, err := New(&c.o)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && err == nil:
				t.Error("taken")
			case c.want != "" && (!strings.HasPrefix(err.Error(), "redispubsub: ") || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%q, want %q in it", err, c.want)
			case c.want != "" && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("%q shows the password", err)
			}
		})
	}
	if _, err := New(nil); err == nil || !strings.HasPrefix(err.Error(), "redispubsub: ") {
		t.Errorf("nil options: %v", err)
	}
}
