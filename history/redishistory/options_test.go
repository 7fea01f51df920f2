package redishistory

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

// Wrong options are refused with a sentence that shows no password. Those about servers are checked by the
// same code as in package redispubsub.
func TestOptions(t *testing.T) {
	t.Parallel()
	one := []string{"h:1"}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no server", Options{}, "option URL is empty"},
		{"both", Options{URL: "redis://h", Addrs: one}, "both set"},
		{"many servers", Options{Addrs: []string{"a:1", "b:1"}}, "has 2 addresses"},
		{"no port", Options{Addrs: []string{"localhost"}}, "is not host:port"},
		{"user alone", Options{Addrs: one, Username: "u"}, "Username is set without a password"},
		{"bad URL", Options{URL: "redis://u:hunter2%zz@h"}, "no URL"},
		{"TLS without rediss", Options{URL: "redis://h", TLS: &tls.Config{}}, "write rediss://"},
		{"dial timeout", Options{Addrs: one, DialTimeout: -1}, "option DialTimeout"},
		{"Sentinels of a cluster", Options{Addrs: one, MasterName: "m", Cluster: true}, "both set"},
		{"prefix", Options{Addrs: one, Prefix: "{x}"}, "option Prefix"},
		{"dots", Options{Addrs: one, Prefix: "x."}, "option Prefix"},
		{"keys of another prefix", Options{Addrs: one, Prefix: "x.h"}, "could be those of another prefix"},
		{"long prefix", Options{Addrs: one, Prefix: strings.Repeat("x", 65)}, "option Prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tryStart(c.o)
			switch {
			case err == nil:
				t.Error("taken")
			case !strings.HasPrefix(err.Error(), "redishistory: ") || !strings.Contains(err.Error(), c.want):
				t.Errorf("%q, want %q in it", err, c.want)
			case strings.Contains(err.Error(), "hunter2"):
				t.Errorf("%q shows the password", err)
			}
		})
	}
	if _, err := New(t.Context(), nil); err == nil || !strings.HasPrefix(err.Error(), "redishistory: ") {
		t.Errorf("nil options: %v", err)
	}
}

// The tag of keys cannot be broken out of, and names are apart.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := &store{prefix: "p"}
	for topic, want := range map[string]string{
		"room:1": "{p.h.room:1}m", "a}b{c=": "{p.h.a=7Db=7Bc=3D}m", "": "{p.h.}m", "}": "{p.h.=7D}m",
	} {
		k := s.keys(topic)
		if k.meta() != want {
			t.Errorf("%q: %s, want %s", topic, k.meta(), want)
		}
	}
	began := time.Now()
	if k := s.probeKeys(7); k.slot() != 7 {
		t.Errorf("%s is in slot %d", k.tag, k.slot())
	}
	t.Logf("a slot was found in %v", time.Since(began))
}
