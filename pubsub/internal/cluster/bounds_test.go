package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/pubsub"
)

// Topics of which the channel takes little, and the most.
var boundsTopics = map[string]string{"a short topic": "room:1", "a long channel": strings.Repeat(":", maxEscaped/3)}

// TestOutboxMemory fills both shares of the outbox with small messages and with large ones.
func TestOutboxMemory(t *testing.T) {
	for name, topic := range boundsTopics {
		for _, payload := range []int{2, 1000} {
			t.Run(fmt.Sprint(name, ", payloads of ", payload, " bytes"), func(t *testing.T) {
				const buffer = 1 << 20
				n, err := New(Options{Node: "me", Buffer: buffer, Logger: slog.New(slog.DiscardHandler)}, &wire{})
				if err != nil {
					t.Fatal(err)
				}
				n.outbox.closed = false // and nobody sends
				m := &pubsub.Message{Topic: topic, Event: "e", Payload: make([]byte, payload)}
				heaptest.Keeps(t, 2*buffer, func() {
					for _, publish := range []func() error{
						func() error { return n.Broadcast(m) },
						func() error { return n.Direct(strings.Repeat("n", MaxName), m) },
					} {
						for err = nil; err == nil; err = publish() {
						}
						if !errors.Is(err, pubsub.ErrBufferFull) {
							t.Fatal(err)
						}
					}
				})
				runtime.KeepAlive(n)
			})
		}
	}
}

// TestLaneMemory fills a lane.
func TestLaneMemory(t *testing.T) {
	for name, topic := range boundsTopics {
		t.Run(name, func(t *testing.T) {
			l := newLane()
			e := envelope{kind: kindText, boot: 1, message: pubsub.Message{Topic: "t", Event: "e"}}
			heaptest.Keeps(t, maxLaneBytes, func() {
				for l.bytes <= maxLaneBytes {
					channel := TopicChannel(DefaultPrefix, topic)
					l.push(incoming{channel: channel, data: codec{}.encode(channel, &e)})
				}
			})
			runtime.KeepAlive(l)
		})
	}
}

// TestPeerMemory has as much noted of each node as may be.
func TestPeerMemory(t *testing.T) {
	const nodes = 100
	p := &peers{}
	p.init("me")
	heaptest.Keeps(t, nodes*(4<<10), func() {
		for boot := range uint64(nodes) {
			k := &peer{boot: boot, name: strings.Repeat("n", MaxName)}
			p.known[boot] = k
			for moment := range uint64(10 * maxMarks) {
				k.heardOf(moment + 1)
				k.mark(moment)
			}
		}
	})
	runtime.KeepAlive(p)
}

// TestStreamsMemory publishes to half as many topics as are numbered at one time.
func TestStreamsMemory(t *testing.T) {
	for name, topic := range map[string]struct {
		format string
		each   int
	}{
		"short topics":  {"room:%d", 128},
		"long channels": {strings.Repeat(":", maxEscaped/3-4) + "%d", 640},
	} {
		t.Run(name, func(t *testing.T) {
			s := &streams{}
			heaptest.Keeps(t, maxStreams*topic.each, func() {
				for i := range maxStreams {
					s.next(TopicChannel(DefaultPrefix, fmt.Sprintf(topic.format, i)))
				}
			})
			runtime.KeepAlive(s)
		})
	}
}
