package replay

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/measure/internal/part"
	"github.com/bennu-go/bennu/pubsub"
)

// ServerCommand is the server. It prints its address. It does what it reads from its standard input,
// a command a line, and answers each with a line:
//
//	publish N    the position before N messages of the topic that is missed
//	watch        the live heap; from now on, broadcasts go to the live topic
//	seen         what was seen since then
func ServerCommand(*flag.FlagSet) func(context.Context, []string) error {
	return func(ctx context.Context, _ []string) error {
		s, err := newServer(ctx)
		if err != nil {
			return err
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(ln.Addr())
		go part.Answer(os.Stdin, func(line string) (string, error) { return s.do(ctx, strings.Fields(line)) })
		return s.Serve(ctx, ln)
	}
}

type server struct {
	*bennu.Endpoint
	most  sampler
	reads int64 // before it was watched
}

type nothing struct{}

func newServer(ctx context.Context) (*server, error) {
	ps := pubsub.NewLocal()
	log, err := history.New(ctx, ps, &history.Options{Topics: []history.Topic{{Pattern: "*"}}})
	if err != nil {
		return nil, err
	}
	var users bennu.SocketHandler
	users.Channel("*", bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (nothing, bennu.Empty, error) {
		return nothing{}, bennu.Empty{}, nil
	}))
	e := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log, DrainTime: bennu.Unlimited})
	e.Socket("/socket", &users, nil)
	e.OnShutdown(log.Close)
	return &server{Endpoint: e}, nil
}

func (s *server) do(ctx context.Context, words []string) (string, error) {
	switch {
	case len(words) == 2 && words[0] == "publish":
		n, _ := strconv.Atoi(words[1])
		return s.publish(ctx, n)
	case len(words) == 1 && words[0] == "watch":
		s.reads = s.Stats().History.Reads
		idle := heaptest.Live()
		go s.most.run(ctx)
		go s.tick(ctx)
		return strconv.Itoa(idle), nil
	case len(words) == 1 && words[0] == "seen":
		b, err := json.Marshal(sight{Live: int(s.most.live.Load()), Objects: int(s.most.objects.Load()), Reads: s.Stats().History.Reads - s.reads})
		return string(b), err
	}
	return "", errors.New("a command that is none")
}

// publish publishes numbered messages.
func (s *server) publish(ctx context.Context, count int) (position string, err error) {
	before, err := s.Publish(ctx, missed, "begin", bennu.Empty{})
	for n := range count {
		if err == nil {
			_, err = s.Publish(ctx, missed, "said", bennu.Raw(fmt.Sprintf(`{"n":%d,"text":"%s"}`, n, strings.Repeat("x", 80))))
		}
	}
	return before.String(), err
}

// tick broadcasts the time.
func (s *server) tick(ctx context.Context) {
	for ctx.Err() == nil {
		_ = s.Broadcast(live, "at", bennu.Raw(fmt.Sprintf(`{"at":%d}`, time.Now().UnixNano())))
		time.Sleep(tick)
	}
}

// sampler keeps the largest heap that it has seen.
type sampler struct{ live, objects atomic.Uint64 }

func (m *sampler) run(ctx context.Context) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	for ctx.Err() == nil {
		metrics.Read(s)
		m.live.Store(max(m.live.Load(), s[0].Value.Uint64()))
		m.objects.Store(max(m.objects.Load(), s[1].Value.Uint64()))
		time.Sleep(tick)
	}
}

// sight is what the server has seen: the largest live heap, the largest one with garbage, and pages
// read from the store.
type sight struct {
	Live, Objects int
	Reads         int64
}

// ask asks the server.
func (s *sight) ask(server *part.Process) error {
	said, err := server.Ask("seen")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(said), s)
}
