package cluster

import (
	"errors"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
)

// TestDirectIsBoundedApart fills the share of messages to one node: those of topics still have
// place, and what is refused leaves no hole in the numbers.
func TestDirectIsBoundedApart(t *testing.T) {
	o := &outbox{most: 4096, inboxes: inboxPrefix("p"), news: make(chan struct{}, 1)}
	push := func(channel string) (seq uint64, err error) {
		e := &envelope{kind: kindBinary, boot: 1, message: pubsub.Message{Topic: "t", Event: "e", Payload: make([]byte, 500)}}
		err = o.push(codec{}, channel, e)
		return e.seq, err
	}
	inbox, topic := inboxChannel("p", "other"), TopicChannel("p", "t")
	sent := uint64(0)
	for {
		if _, err := push(inbox); err != nil {
			if !errors.Is(err, pubsub.ErrBufferFull) {
				t.Fatal(err)
			}
			break
		}
		sent++
	}
	if sent == 0 {
		t.Fatal("nothing had place")
	}
	for range sent {
		if _, err := push(topic); err != nil {
			t.Fatalf("a message of a topic: %v", err)
		}
	}
	if _, err := push(topic); !errors.Is(err, pubsub.ErrBufferFull) || o.lost != 1 {
		t.Fatalf("one too many: %v, %d lost", err, o.lost)
	}
	batch, _ := o.take(nil)
	if o.done(batch, nil); o.bytes != 0 || o.direct != 0 {
		t.Errorf("%d and %d bytes are left", o.bytes, o.direct)
	}
	if seq, err := push(inbox); err != nil || seq != sent+1 {
		t.Errorf("number %d after %d, %v", seq, sent, err)
	}
}
