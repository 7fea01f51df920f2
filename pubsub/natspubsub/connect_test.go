package natspubsub

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// TestOptions has mistakes in options. Each is an error of New, before anything is connected.
func TestOptions(t *testing.T) {
	for name, o := range map[string]*Options{
		"none":        nil,
		"no URL":      {Node: "a"},
		"no scheme":   {Node: "a", URL: "localhost:4222"},
		"http":        {Node: "a", URL: "http://user:canary@localhost:4222"},
		"bad escape":  {Node: "a", URL: "nats://user:canary%zz@localhost"},
		"no node":     {URL: "nats://localhost"},
		"bad node":    {Node: "a b", URL: "nats://localhost"},
		"short key":   {Node: "a", URL: "nats://localhost", Secret: []byte("canary")},
		"two ways":    {Node: "a", URL: "nats://localhost", User: "u", Password: "canary", Token: "canary"},
		"no seed":     {Node: "a", URL: "nats://localhost", SeedFile: "/does/not/exist"},
		"bad prefix":  {Node: "a", URL: "nats://localhost", Prefix: "a.>"},
		"neg. buffer": {Node: "a", URL: "nats://localhost", Buffer: -1},
		"neg. probe":  {Node: "a", URL: "nats://localhost", Probe: -time.Second},
		"neg. time":   {Node: "a", URL: "nats://localhost", ConnectTimeout: -1},
		"no end":      {Node: "a", URL: "nats://localhost", ConnectTimeout: math.MaxInt64},
	} {
		checkMistake(t, name, func() error { _, err := New(o); return err })
	}
	for name, o := range map[string]*EmbeddedOptions{
		"none":            nil,
		"no port":         {Node: "a", Listen: "localhost"},
		"bad port":        {Node: "a", Listen: "localhost:99999"},
		"open to all":     {Node: "a", Listen: ":6222"},
		"open to many":    {Node: "a", Listen: "10.0.0.1:6222"},
		"short secret":    {Node: "a", Secret: []byte("canary")},
		"bad peer":        {Node: "a", Peers: []string{"localhost"}},
		"small payload":   {Node: "a", MaxPayload: 1},
		"huge payload":    {Node: "a", MaxPayload: 1 << 30},
		"neg. buffer":     {Node: "a", Buffer: -1},
		"no node at all":  {},
		"node with space": {Node: "a b"},
	} {
		checkMistake(t, "embedded, "+name, func() error { _, err := NewEmbedded(o); return err })
	}
}

func checkMistake(t *testing.T, name string, try func() error) {
	t.Helper()
	err := try()
	switch {
	case err == nil:
		t.Errorf("%s: no error", name)
	case !strings.HasPrefix(err.Error(), "natspubsub: "):
		t.Errorf("%s: %v does not say where it is from", name, err)
	case strings.Contains(err.Error(), "canary"):
		t.Errorf("%s: the error has the secret: %v", name, err)
	}
}

// start starts a node, which must fail, and returns the error.
func startError(t *testing.T, a pubsub.Adapter) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	p, err := pubsub.New(ctx, &pubsub.Options{Adapter: a})
	if err == nil {
		p.Close(ctx)
		t.Fatal("the node has started")
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error has the secret: %v", err)
	}
	return err
}

func wantSays(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// TestUnreachable has no server.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	nobody := testport.Addr(t)
	a, err := New(&Options{Node: "a", URL: "nats://user:canary@" + nobody, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	wantSays(t, startError(t, a), nobody, "is it running")

	// Start returns when its context ends, also if the server never answers.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err = New(&Options{Node: "a", URL: "nats://" + ln.Addr().String(), ConnectTimeout: 500 * time.Millisecond, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pubsub.New(ctx, &pubsub.Options{Adapter: a}); err == nil {
		t.Error("started")
	}
}

// TestCredentials logs in with each kind of credentials, and with wrong ones.
func TestCredentials(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := pair.Seed()
	public, _ := pair.PublicKey()
	seedFile := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(seedFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		server func(*server.Options)
		good   func(*Options)
		bad    func(*Options)
	}{
		"user": {
			func(o *server.Options) { o.Username, o.Password = "u", "right canary" },
			func(o *Options) { o.User, o.Password = "u", "right canary" },
			func(o *Options) { o.User, o.Password = "u", "wrong canary" },
		},
		"token": {
			func(o *server.Options) { o.Authorization = "right canary" },
			func(o *Options) { o.Token = "right canary" },
			func(o *Options) { o.Token = "wrong canary" },
		},
		"nkey": {
			func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} },
			func(o *Options) { o.SeedFile = seedFile },
			func(*Options) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t, c.server)
			box := newInbox()
			p := pubsubtest.Start(t, b.node(t, "a", c.good), nil)
			await(t, p.Subscribe("t", box))
			q := pubsubtest.Start(t, b.node(t, "b", c.good), nil)
			if err := q.Broadcast(&pubsub.Message{Topic: "t", Event: "x"}); err != nil {
				t.Error(err)
			}
			box.next(t)
			err := startError(t, b.node(t, "c", c.bad))
			if wantSays(t, err, "credentials", "check User and Password"); !errors.Is(err, pubsub.ErrLogin) {
				t.Errorf("%v is not ErrLogin", err)
			}
		})
	}
}

// TestPermission has a user who may not use the subjects.
func TestPermission(t *testing.T) {
	t.Parallel()
	b := startBroker(t, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "none", Password: "p", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{"other.>"}}, Subscribe: &server.SubjectPermission{Allow: []string{"other.>"}},
			}},
			{Username: "some", Password: "p", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{"bennu.>"}}, Subscribe: &server.SubjectPermission{Allow: []string{"bennu.>"}},
			}},
		}
	})
	as := func(user string) func(*Options) { return func(o *Options) { o.User, o.Password = user, "p" } }
	pubsubtest.Start(t, b.node(t, "a", as("some")), nil)
	a := b.node(t, "b", as("none"))
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	_, err := pubsub.New(ctx, &pubsub.Options{Adapter: a})
	if err == nil {
		t.Fatal("the node has started")
	}
	wantSays(t, err, "may this user publish and subscribe")
}

// certificates returns the certificate of a server, and a pool that contains it.
func certificates(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// TestTLS connects to a server over TLS.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificates(t)
	b := startBroker(t, func(o *server.Options) {
		o.TLS, o.TLSTimeout = true, waittest.Patience.Seconds()
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	})
	trusting := func(o *Options) {
		o.URL = strings.Replace(o.URL, "nats://", "tls://", 1)
		o.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	box := newInbox()
	p := pubsubtest.Start(t, b.node(t, "a", trusting), nil)
	await(t, p.Subscribe("t", box))
	q := pubsubtest.Start(t, b.node(t, "b", trusting), nil)
	if err := q.Broadcast(&pubsub.Message{Topic: "t", Payload: make([]byte, 100_000)}); err != nil {
		t.Error(err)
	}
	if m := box.next(t); len(m.Payload) != 100_000 {
		t.Errorf("%d bytes", len(m.Payload))
	}
	wantSays(t, startError(t, b.node(t, "c", func(o *Options) {
		o.URL = strings.Replace(o.URL, "nats://", "tls://", 1)
	})), "certificate")
}
