package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
)

// TestTooLarge publishes what the broker, or the buffer, can never take. The error says what is
// too large, by how much, and who gets the message all the same.
func TestTooLarge(t *testing.T) {
	for name, c := range map[string]struct {
		buffer  int
		message pubsub.Message
		says    string
	}{
		"payload": {0, pubsub.Message{Topic: "t", Payload: make([]byte, 2<<20)}, "its envelope takes 2097205 bytes"},
		"broker":  {0, pubsub.Message{Topic: "t", Payload: make([]byte, 2<<20)}, "the broker allows 1048576"},
		"buffer":  {10_000, pubsub.Message{Topic: "t", Payload: make([]byte, 10_000)}, "option Buffer allows 9872"},
		"topic":   {0, pubsub.Message{Topic: strings.Repeat("t", 70_000)}, "its topic takes 70000 bytes"},
		"event":   {0, pubsub.Message{Topic: "t", Event: strings.Repeat("e", 2000)}, "its event takes 2000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{Buffer: c.buffer}, &wire{}, func(t *testing.T, n *Node, _ *ear) {
				for recipients, err := range map[string]error{
					"subscribers of this node get it, other nodes do not": n.Broadcast(&c.message),
					"the other node does not get it":                      n.Direct("other", &c.message),
				} {
					if !errors.Is(err, pubsub.ErrTooLarge) || !strings.Contains(err.Error(), c.says) || !strings.HasSuffix(err.Error(), recipients) {
						t.Errorf("%v, want that %s, and that %s", err, c.says, recipients)
					}
				}
			})
		})
	}
}
