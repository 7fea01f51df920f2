package app

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
)

// logSize is the number of messages that a topic of Logs keeps.
const logSize = 10_000

// Topics returns what a fixture with history keeps: the topics of Logs, and, if all is set, a few
// messages of every other topic.
func Topics(all bool) []history.Topic {
	topics := []history.Topic{
		{Pattern: "log:*", Size: logSize, Bytes: 64 << 20, Age: 10 * time.Minute},
		{Pattern: "last:*", Size: logSize, Rewind: 1},
	}
	if all {
		topics = append(topics, history.Topic{Pattern: "*", Size: 100})
	}
	return topics
}

// Logs adds the channels of the topics log:* and last:*, which have a history. In both, clients
// publish numbers, and one that joins last:* anew gets the newest.
func Logs(h *bennu.SocketHandler) {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Payload) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, nil
	})
	bennu.On(d, "pub", func(ch *bennu.Channel, ctx context.Context, p publication) (bennu.Empty, error) {
		return bennu.Empty{}, publish(ctx, ch, "n", object{"n": p.N}, p.Key)
	})
	bennu.On(d, "pubbin", func(ch *bennu.Channel, ctx context.Context, p publication) (bennu.Empty, error) {
		return bennu.Empty{}, publish(ctx, ch, "b", binary.BigEndian.AppendUint32(nil, p.N), p.Key)
	})
	h.Channel("log:*", d)
	h.Channel("last:*", d)
}

// publication is a number to publish, under an idempotency key.
type publication struct {
	N   uint32 `json:"n"`
	Key text   `json:"key"`
}

// publish tells the client why a message was not stored.
func publish(ctx context.Context, ch *bennu.Channel, event string, payload any, key text) error {
	if key == "null" {
		key = "" // as without a key
	}
	_, err := ch.Publish(ctx, event, payload, bennu.Key(string(key)))
	if err == nil {
		return nil
	}
	for reason, known := range map[string]error{
		"unavailable": history.ErrUnavailable,
		"unknown":     history.ErrUnknown,
		"too_large":   history.ErrTooLarge,
		"busy":        history.ErrBusy,
	} {
		if errors.Is(err, known) {
			return &bennu.Error{Reason: reason}
		}
	}
	return &bennu.Error{Reason: err.Error()}
}
