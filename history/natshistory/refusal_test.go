package natshistory

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
)

// refusal returns the error of New, which must fail, within a time.
func refusal(t *testing.T, within time.Duration, o *Options) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	o.Logger = quiet
	s, err := New(ctx, o)
	switch {
	case err == nil:
		closeStore(t, s)
		t.Fatal("the store has started")
	case !strings.HasPrefix(err.Error(), "natshistory: "):
		t.Errorf("%v does not say where it is from", err)
	case strings.Contains(err.Error(), "canary"):
		t.Errorf("the error has the secret: %v", err)
	}
	t.Log(err)
	return err
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
}

// TestOptions has options that cannot be right.
func TestOptions(t *testing.T) {
	t.Parallel()
	for says_, o := range map[string]*Options{
		"option URL is empty":      {},
		"option URL is no URL":     {URL: "user:canary@host"},
		"option URL has the sch":   {URL: "http://user:canary@host"},
		"more than one of User":    {URL: "nats://h", User: "u", Password: "canary", Token: "canary"},
		"option SeedFile":          {URL: "nats://h", SeedFile: "/does/not/exist"},
		"option Prefix":            {URL: "nats://h", Prefix: "a..b"},
		"option Stream":            {URL: "nats://h", Stream: "a.b"},
		"option Replicas is 2":     {URL: "nats://h", Replicas: 2},
		"option Size is -1":        {URL: "nats://h", Size: -1},
		"option MaxBytes is -1":    {URL: "nats://h", MaxBytes: -1},
		"option ConnectTimeout is": {URL: "nats://h", ConnectTimeout: -1},
	} {
		says(t, refusal(t, waittest.Patience, o), says_)
	}
	if _, err := New(t.Context(), nil); err == nil {
		t.Error("New takes no options")
	}
}

// TestUnreachable has no server, one without JetStream, and wrong credentials.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	nobody := testport.Addr(t)
	says(t, refusal(t, waittest.Patience, &Options{URL: "nats://user:canary@" + nobody}), nobody, "is it running")

	bare := startBroker(t, func(o *server.Options) { o.JetStream = false })
	// New asks until its context ends, since JetStream may be starting. A second may be too short to connect.
	var err error
	for within := time.Second; within < waittest.Patience; within *= 2 {
		if err = refusal(t, within, &Options{URL: bare.url()}); strings.Contains(err.Error(), "JetStream") {
			break
		}
	}
	says(t, err, "has no JetStream", "natspubsub embeds")

	locked := startBroker(t, func(o *server.Options) { o.Username, o.Password = "u", "right canary" })
	err = refusal(t, waittest.Patience, &Options{URL: locked.url(), User: "u", Password: "wrong canary"})
	if says(t, err, "check User and Password"); !errors.Is(err, pubsub.ErrLogin) {
		t.Errorf("%v is not ErrLogin", err)
	}

	single := startBroker(t, nil)
	says(t, refusal(t, waittest.Patience, &Options{URL: single.url()}), "less than 3 servers", "option Replicas to 1")
}

// TestEmbedded connects to the port of a server that natspubsub embeds in a node.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	e, err := natspubsub.NewEmbedded(&natspubsub.EmbeddedOptions{Node: "a", Listen: "127.0.0.1:0", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx := patient(t)
	p, err := pubsub.New(ctx, &pubsub.Options{Adapter: e})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.WithoutCancel(ctx)) })
	says(t, refusal(t, waittest.Patience, &Options{URL: "nats://" + e.Addr().String()}), "natspubsub embeds")
}

// makeStream makes a stream whose name another one has had. The server may still remove the files of
// that one, and then fails with the code 10049.
func makeStream(t *testing.T, js jetstream.JetStream, config jetstream.StreamConfig) {
	t.Helper()
	var err error
	waittest.Until(t, "the files of the old stream are gone", func() bool {
		_, err = js.CreateStream(t.Context(), config)
		var refused *jetstream.APIError
		return !errors.As(err, &refused) || refused.ErrorCode != 10049
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMisfits has streams that were made otherwise. The error has a sentence for each difference.
func TestMisfits(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	c, err := nats.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	good := open(t, b.url(), nil)
	closeStore(t, good)
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"does not keep the subject": func(c *jetstream.StreamConfig) { c.Subjects = []string{"bennu.l.*"} },
		"messages per subject":      func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 10 },
		"forgets messages after":    func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"forgets the oldest":        func(c *jetstream.StreamConfig) { c.Discard, c.MaxBytes = jetstream.DiscardOld, 1<<20 },
		"knows ids for":             func(c *jetstream.StreamConfig) { c.Duplicates = time.Second },
		"has no roll-up":            func(c *jetstream.StreamConfig) { c.AllowRollup = false },
		"denies purges":             func(c *jetstream.StreamConfig) { c.DenyPurge, c.AllowRollup = true, false },
		"has no direct gets":        func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		"does not acknowledge":      func(c *jetstream.StreamConfig) { c.NoAck = true },
		"has the retention":         func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
		"refuses new messages":      func(c *jetstream.StreamConfig) { c.DiscardNewPerSubject = true },
	} {
		config := *good.config()
		change(&config)
		if err := js.DeleteStream(t.Context(), config.Name); err != nil {
			t.Fatal(err)
		}
		makeStream(t, js, config)
		says(t, refusal(t, waittest.Patience, &Options{URL: b.url(), Replicas: 1}), name)
	}
	config := *good.config()
	config.Name = "other"
	if err := js.DeleteStream(t.Context(), good.Stream); err != nil {
		t.Fatal(err)
	}
	makeStream(t, js, config)
	says(t, refusal(t, waittest.Patience, &Options{URL: b.url(), Replicas: 1}), "another stream keeps subjects")
	// One that an administrator has made with more than is needed fits.
	config.MaxMsgsPerSubject, config.Metadata = 1_000_000, map[string]string{"by": "hand"}
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	s := open(t, b.url(), func(o *Options) { o.Stream = "other" })
	put(t, s, "t", entry("a", 1))
}

// TestPermissions runs a node with the permissions of the documentation, and takes away each.
func TestPermissions(t *testing.T) {
	t.Parallel()
	documented, err := server.ProcessConfigFile("testdata/permissions.conf")
	if err != nil {
		t.Fatal(err)
	}
	as := func(o *Options) { o.User, o.Password = "bennu", "change me" }
	b := startBroker(t, func(o *server.Options) { o.Users = documented.Users })
	s := open(t, b.url(), as)
	p := put(t, s, "t", entry("a", 1))
	if err := s.Rotate(patient(t), "t", p.Epoch); err != nil {
		t.Error(err)
	}
	put(t, s, "t", entry("a", 2))
	read(t, s, "t", 0)
	if err := s.clean(patient(t)); err != nil {
		t.Error(err)
	}
	user := documented.Users[0]
	for i, gone := range user.Permissions.Publish.Allow {
		if strings.Contains(gone, "CREATE") {
			continue
		}
		fewer := *user
		fewer.Permissions = &server.Permissions{Subscribe: user.Permissions.Subscribe, Publish: &server.SubjectPermission{}}
		for j, one := range user.Permissions.Publish.Allow {
			if j != i {
				fewer.Permissions.Publish.Allow = append(fewer.Permissions.Publish.Allow, one)
			}
		}
		b.reload(t, &fewer)
		o := &Options{URL: b.url(), Replicas: 1}
		as(o)
		says(t, refusal(t, waittest.Patience, o), "does not let this user publish to", strings.TrimSuffix(gone, "*"))
		if gone == "bennu.l.*" {
			_, err := s.Append(patient(t), "t", entry("a", 3), &history.AppendOptions{Keep: plenty})
			if says(t, err, "does not let this user publish"); !errors.Is(err, history.ErrUnavailable) {
				t.Errorf("%v, want ErrUnavailable", err)
			}
		}
	}
	fewer := *user
	fewer.Permissions = &server.Permissions{Publish: user.Permissions.Publish, Subscribe: &server.SubjectPermission{Allow: []string{"x"}}}
	b.reload(t, &fewer)
	o := &Options{URL: b.url(), Replicas: 1}
	as(o)
	says(t, refusal(t, waittest.Patience, o), "does not let this user subscribe to", "bennu.i.")
}

// reload changes the only user of a running server.
func (b *broker) reload(t *testing.T, u *server.User) {
	t.Helper()
	o := b.options
	o.Users = []*server.User{u}
	if err := b.running.ReloadOptions(&o); err != nil {
		t.Fatal(err)
	}
}

// TestSizeOfTopic has a topic of which more is to be kept than the stream keeps.
func TestSizeOfTopic(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s := open(t, b.url(), func(o *Options) { o.Size = 10 })
	_, err := s.Append(patient(t), "t", entry("a", 1), &history.AppendOptions{Keep: plenty})
	if says(t, err, "natshistory.Options.Size is 10"); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
}

// TestFull has a stream that is full. Old messages stay.
func TestFull(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s := open(t, b.url(), func(o *Options) { o.MaxBytes = 64 << 10 })
	var err error
	n := uint64(0)
	// On a busy machine an answer may not come in time. The same append is made again then.
	for again := 0; err == nil || again < 20 && errors.Is(err, history.ErrUnknown); {
		if err == nil {
			n++
		} else {
			again++
		}
		e := entry("a", n)
		e.Payload = make([]byte, 8<<10)
		// Append tries again until its context ends, in case messages are removed.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err = s.Append(ctx, "t", e, &history.AppendOptions{Keep: plenty})
		cancel()
	}
	if says(t, err, "maximum bytes exceeded"); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	if got := read(t, s, "t", 0); len(got.Entries) != int(n-1) {
		t.Errorf("%d entries, want %d", len(got.Entries), n-1)
	}
}
