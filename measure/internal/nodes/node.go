package nodes

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/measure/internal/part"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
	"github.com/bennu-go/bennu/pubsub/redispubsub"
)

// newAdapter makes the adapter of a node: nats URL, redis URL, or embedded LISTEN
// and perhaps PEER.
func newAdapter(name, kind string, args []string) (pubsub.Adapter, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	switch kind {
	case "nats":
		return natspubsub.New(&natspubsub.Options{Node: name, URL: args[0], Logger: log})
	case "redis":
		return redispubsub.New(&redispubsub.Options{Node: name, URL: args[0], Logger: log})
	case "embedded":
		return natspubsub.NewEmbedded(&natspubsub.EmbeddedOptions{Node: name, Listen: args[0], Peers: args[1:], Logger: log})
	}
	return nil, fmt.Errorf("there is no broker %q", kind)
}

// NodeCommand is a node: its name, its broker and what that wants follow. It does what it
// reads from its standard input, a command a line, and answers each with a line.
func NodeCommand(*flag.FlagSet) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		adapter, err := newAdapter(args[0], args[1], args[2:])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		p, err := pubsub.New(ctx, &pubsub.Options{Adapter: adapter})
		if err != nil {
			return err
		}
		defer p.Close(context.Background())
		if e, ok := adapter.(*natspubsub.Embedded); ok {
			fmt.Println(e.Addr())
		} else {
			fmt.Println("ready")
		}
		n := &node{PubSub: p}
		return part.Answer(os.Stdin, func(line string) (string, error) { return n.do(strings.Fields(line)) })
	}
}

// node is a PubSub and a subscriber that notes how long messages took.
type node struct {
	*pubsub.PubSub
	mu    sync.Mutex
	times []time.Duration
}

// Deliver implements pubsub.Subscriber.
func (n *node) Deliver(d *pubsub.Dispatch) {
	if len(d.Payload) < 8 {
		return
	}
	took := time.Duration(time.Now().UnixNano() - int64(binary.BigEndian.Uint64(d.Payload)))
	n.mu.Lock()
	n.times = append(n.times, took)
	n.mu.Unlock()
}

var errCommand = errors.New("a command that is none")

func (n *node) do(words []string) (string, error) {
	if len(words) == 0 {
		return "", errCommand
	}
	var numbers []int
	for _, w := range words[1:] {
		if i, err := strconv.Atoi(w); err == nil {
			numbers = append(numbers, i)
		}
	}
	switch words[0] {
	case "subscribe": // PREFIX N
		began := time.Now()
		for i := range numbers[0] {
			n.Subscribe(words[1]+strconv.Itoa(i), n)
		}
		return n.confirmed(began), nil
	case "confirmed": // how long until all interest is with the broker
		return n.confirmed(time.Now()), nil
	case "publish": // TOPIC N RATE SIZE
		return n.publish(words[1], numbers[0], numbers[1], numbers[2])
	case "times": // of what was received since the last time
		n.mu.Lock()
		times := n.times
		n.times = nil
		n.mu.Unlock()
		slices.Sort(times)
		at := func(p float64) time.Duration {
			if len(times) == 0 {
				return 0
			}
			return times[min(len(times)-1, int(p*float64(len(times))))]
		}
		return fmt.Sprintf("%d %d %d %d", len(times), at(0.5), at(0.99), at(0.999)), nil
	case "memory":
		return strconv.Itoa(heaptest.Live()), nil
	case "health":
		b, err := json.Marshal(n.Health())
		return string(b), err
	}
	return "", errCommand
}

// confirmed waits until the broker is there and has confirmed everything.
func (n *node) confirmed(began time.Time) string {
	for {
		if h := n.Health(); h.Connected && h.Pending == 0 {
			return strconv.Itoa(int(time.Since(began)))
		}
		time.Sleep(time.Millisecond)
	}
}

// publish sends at an even rate, a few at a time.
func (n *node) publish(topic string, count, rate, size int) (string, error) {
	const tick = time.Millisecond
	began := time.Now()
	for sent := 0; sent < count; {
		due := int(time.Since(began).Seconds() * float64(rate))
		for ; sent < min(due, count); sent++ {
			payload := make([]byte, max(8, size))
			binary.BigEndian.PutUint64(payload, uint64(time.Now().UnixNano()))
			if err := n.Broadcast(&pubsub.Message{Topic: topic, Event: "e", Payload: payload, Binary: true}); err != nil {
				return "", err
			}
		}
		time.Sleep(tick)
	}
	return strconv.Itoa(int(time.Since(began))), nil
}
