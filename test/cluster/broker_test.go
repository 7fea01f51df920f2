package cluster

import (
	"errors"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/testport"
)

// The kinds of adapter.
const (
	kindNATS     = "nats"
	kindEmbedded = "embedded"
	kindRedis    = "redis"
)

var (
	kinds       = []string{kindEmbedded, kindNATS, kindRedis}
	brokerKinds = []string{kindNATS, kindRedis} // those with a broker that can be killed
)

// forKinds runs a test for each, at the same time.
func forKinds(t *testing.T, kinds []string, test func(t *testing.T, kind string)) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// broker is one in a process of its own. It has nothing when it comes back after kill.
type broker interface {
	addr() string
	kill(t testing.TB)
	restart(t testing.TB)
	suspend(t testing.TB)
	resume(t testing.TB)
}

// startBroker runs a broker until the end of the test.
func startBroker(t testing.TB, kind string) broker {
	t.Helper()
	switch kind {
	case kindNATS:
		return startNATS(t, natsOptions{})
	case kindRedis:
		return redisBroker{redistest.Start(t)}
	}
	t.Fatalf("there is no broker of the kind %q", kind)
	return nil
}

// scheme is what the URL of a broker begins with.
var scheme = map[string]string{kindNATS: "nats://", kindRedis: "redis://"}

// redisBroker is a Redis server.
type redisBroker struct{ *redistest.Server }

func (b redisBroker) addr() string         { return b.Addr }
func (b redisBroker) kill(t testing.TB)    { t.Helper(); b.Kill(t) }
func (b redisBroker) restart(t testing.TB) { t.Helper(); b.Restart(t) }
func (b redisBroker) suspend(t testing.TB) { t.Helper(); b.Suspend(t) }
func (b redisBroker) resume(t testing.TB)  { t.Helper(); b.Resume(t) }

// large is a payload that a broker takes, and clients too, whose queues hold 4 MiB; and
// tooLarge one that is too large for the broker.
var (
	large    = map[string]int{kindNATS: 1<<20 - 1<<10, kindEmbedded: 4<<20 - 64<<10, kindRedis: 4<<20 - 64<<10}
	tooLarge = map[string]int{kindNATS: 1 << 20, kindEmbedded: 5 << 20, kindRedis: 8 << 20}
)

// natsBroker is a NATS server, with JetStream if it has a store.
type natsBroker struct {
	options natsOptions
	ready   natsReady
	process *process
}

type natsOptions struct {
	Port  int
	Store string // the folder of JetStream
	Sync  bool   // JetStream has each message on the disk before it acknowledges it
}

type natsReady struct{ Addr string }

// runNATS is the program.
func runNATS(o natsOptions) (ready natsReady, stop func() error, err error) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: o.Port, NoSigs: true, NoLog: true,
		JetStream: o.Store != "", StoreDir: o.Store, SyncAlways: o.Sync,
	})
	if err != nil {
		return ready, nil, err
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		return ready, nil, errors.New("the server does not start")
	}
	ready.Addr = s.Addr().String()
	return ready, func() error {
		s.Shutdown()
		s.WaitForShutdown()
		return nil
	}, nil
}

func startNATS(t testing.TB, o natsOptions) *natsBroker {
	t.Helper()
	b := &natsBroker{options: o}
	for range 10 {
		b.options.Port = testport.Free(t)
		var err error
		if b.process, err = trySpawn(t, roleNATS, "the NATS server", b.options, &b.ready); err == nil {
			return b
		}
		t.Logf("port %d: %v", b.options.Port, err)
	}
	t.Fatal("no NATS server starts")
	return nil
}

func (b *natsBroker) addr() string { return b.ready.Addr }

func (b *natsBroker) kill(testing.TB) { b.process.kill() }

func (b *natsBroker) restart(t testing.TB) {
	t.Helper()
	b.process = spawn(t, roleNATS, "the NATS server", b.options, &b.ready)
}

func (b *natsBroker) suspend(t testing.TB) { t.Helper(); b.process.suspend(t) }
func (b *natsBroker) resume(t testing.TB)  { t.Helper(); b.process.resume(t) }
