package demo

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
)

const testSecret = "0123456789abcdef"

// environment has the variables that getenv finds.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

func TestParseCluster(t *testing.T) {
	secret := environment{secretEnv: testSecret}
	tests := []struct {
		value  string
		env    environment
		scheme string
		hosts  string
		listen string
		peers  []string
		from   string // "" is --pubsub
		login  bool
	}{
		{value: "", scheme: "memory"},
		{value: "memory", scheme: "memory"},
		{value: "memory", env: environment{pubsubEnv: "nats://there"}, scheme: "memory"},
		{env: environment{pubsubEnv: "memory"}, scheme: "memory", from: pubsubEnv},
		{env: environment{pubsubEnv: "nats://u:pw@there:4222"}, scheme: "nats", hosts: "there:4222", from: pubsubEnv, login: true},
		{value: "nats://here", env: environment{pubsubEnv: "nats://there"}, scheme: "nats", hosts: "here"},
		{value: " NATS://here ", scheme: "nats", hosts: "here"},
		{value: "NATS+embed://:6300", scheme: embedded, listen: "127.0.0.1:6300"},
		{value: "nats://a:4222,nats://u:pw@b:4222", scheme: "nats", hosts: "a:4222, b:4222", login: true},
		{value: "tls://here:4443", scheme: "tls", hosts: "here:4443"},
		{value: "redis://:pw@here", scheme: "redis", hosts: "here", login: true},
		{value: "redis://[::1]:6379/0", scheme: "redis", hosts: "[::1]:6379"},
		{value: "rediss://here:6380", scheme: "rediss", hosts: "here:6380"},

		{value: "nats+embed://", scheme: embedded, listen: "127.0.0.1:6222"},
		{value: "nats+embed://:6300", scheme: embedded, listen: "127.0.0.1:6300"},
		{value: "nats+embed://:0/", scheme: embedded, listen: "127.0.0.1:0"},
		{value: "nats+embed://:6300", env: secret, scheme: embedded, listen: ":6300"},
		{value: "nats+embed://0.0.0.0", env: secret, scheme: embedded, listen: "0.0.0.0:6222"},
		{value: "nats+embed://localhost:6300", scheme: embedded, listen: "localhost:6300"},
		{value: "nats+embed://[::1]:6300", scheme: embedded, listen: "[::1]:6300"},
		{value: "nats+embed://:6300?peers=", scheme: embedded, listen: "127.0.0.1:6300"},
		{value: "nats+embed://:6300?peers=a:1,[::1]:2", scheme: embedded, listen: "127.0.0.1:6300", peers: []string{"a:1", "[::1]:2"}},
		{value: "nats+embed://:6300?peers=a:1&peers=b:2", scheme: embedded, listen: "127.0.0.1:6300", peers: []string{"a:1", "b:2"}},
	}
	for _, tt := range tests {
		t.Run(tt.value+fmt.Sprint(tt.env), func(t *testing.T) {
			c, err := parseCluster(tt.value, tt.env.get)
			if err != nil {
				t.Fatal(err)
			}
			if tt.from == "" {
				tt.from = "--pubsub"
			}
			if c.scheme != tt.scheme || c.hosts != tt.hosts || c.listen != tt.listen || !slices.Equal(c.peers, tt.peers) || c.from != tt.from || c.login != tt.login {
				t.Errorf("got %+v", c)
			}
		})
	}
}

// Each error says what to do, and shows no password, wherever that is in the value.
func TestParseClusterMistakes(t *testing.T) {
	tests := []struct {
		value string
		env   environment
		want  string
	}{
		{"kafka://here", nil, "--pubsub begins with kafka://, which is not known here; use memory, nats://"},
		{"", environment{pubsubEnv: "kafka://here"}, "BENNU_PUBSUB begins with kafka://"},
		{"here:4222", nil, "--pubsub is not a URL; use memory, nats://host:4222"},
		{"u:sesame@here://x", nil, "has a form that is not known here; use memory"},
		{"nats://", nil, "has no host; it looks like nats://host:4222"},
		{"nats://u:sesame@here:port", nil, "cannot be read; it looks like nats://host:4222"},
		{"nats://u:sesame@here:70000", nil, "has a wrong port; a port is a number from 1 to 65535"},
		{"nats://u:ses/ame@here:4222", nil, "percent-encoded"},
		{"nats://u:12/sesame@here:4222", nil, "percent-encoded"},
		{"nats://u:12?sesame@here:4222", nil, "percent-encoded"},
		{"nats://u:12#sesame@here:4222", nil, "percent-encoded"},
		{"nats://u:12,sesame@here:4222", nil, "percent-encoded"},
		{"nats://u:1234567,sesame@here", nil, "has a wrong port"},
		{"nats://here,redis://there", nil, `--pubsub: option URL has the scheme "redis"; use nats`},
		{"redis://u:sesame@here?db=1", nil, "--pubsub: option URL has parameters, which have no meaning here"},
		{"redis://u:sesame@here/x", nil, "has a path that is no database number"},
		{"redis://u@here", nil, "is set without a password; Redis wants both"},

		{"nats+embed://6222", nil, "lets anybody join who reaches 6222:6222; set BENNU_SECRET"},
		{"nats+embed://0.0.0.0:6222", nil, "lets anybody join who reaches 0.0.0.0:6222; set BENNU_SECRET to 16 bytes or more"},
		{"nats+embed://:port", nil, `has the port "port"; a port is a number up to 65535`},
		{"nats+embed://:70000", nil, `has the port "70000"`},
		{"nats+embed://a:b:c", nil, `has the address "a:b:c", which is not host:port; write nats+embed://:6222?peers=`},
		{"nats+embed://[::1", nil, `has the address "[::1", which is not host:port`},
		{"nats+embed://u:sesame@:6222", nil, "nodes know each other by BENNU_SECRET alone"},
		{"nats+embed://:6222?peer=a:1", nil, `has the parameter "peer", and there is only peers; write nats+embed://:6222?peers=`},
		{"nats+embed://:6222?peers=a", nil, `has the peer "a", which is not host:port`},
		{"nats+embed://:6222?peers=a:1,:2", nil, `has the peer ":2", which is not host:port`},
		{"nats+embed://:6222?peers=a:0", nil, `has the peer "a:0", which is not host:port`},
		{"nats+embed://:6222?%zz", nil, `has "%zz" behind the address`},

		{"", environment{secretEnv: "sesame"}, "BENNU_SECRET has 6 bytes, and needs 16 or more; `openssl rand -hex 32`"},
		{"", environment{secretEnv: "00112233445566"}, "BENNU_SECRET has 14 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.value+fmt.Sprint(tt.env), func(t *testing.T) {
			if tt.env == nil {
				tt.env = environment{}
			}
			c, err := parseCluster(tt.value, tt.env.get)
			if err == nil {
				t.Fatalf("got %+v", c)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want %q in it", err, tt.want)
			}
			if strings.Contains(err.Error(), "ses") || strings.Contains(err.Error(), "ame@") || strings.Contains(err.Error(), "1234567") {
				t.Errorf("%q shows the password", err)
			}
		})
	}
}

func TestParseSecret(t *testing.T) {
	for text, want := range map[string][]byte{
		"":                                 {},
		testSecret:                         []byte(testSecret), // as hexadecimal it would be too short
		testSecret + testSecret:            bytes.Repeat([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}, 2),
		"thirty-two characters of a text.": []byte("thirty-two characters of a text."),
	} {
		if got, err := parseSecret(text); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %x, %v; want %x", text, got, err, want)
		}
	}
}

func TestNodeNames(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4001}
	for host, want := range map[string]string{
		"ibis":                   "ibis-4001",
		"ibis.example.com":       "ibis.example.com-4001",
		"Anis Mac (2)":           "Anis-Mac-2--4001",
		"":                       "bennu-4001",
		strings.Repeat("x", 250): strings.Repeat("x", 100) + "-4001",
	} {
		got := nameNode(host, addr)
		if got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
		if err := checkNode(got); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"a b", "a/b", "é", strings.Repeat("x", 129)} {
		if err := checkNode(name); err == nil || !strings.Contains(err.Error(), "use 1 to 128 letters") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
