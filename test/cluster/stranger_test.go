package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/waittest"
)

// The subjects of a cluster, as a stranger sees them.
const (
	subjectAll   = "bennu.t.room=3Aall"
	subjectNode  = "bennu.n.a"
	subjectNodes = "bennu.c"
)

// TestStranger (F38): somebody else publishes on the subjects of the cluster: what is
// no message, and what was one before.
func TestStranger(t *testing.T) {
	t.Parallel()
	c, list := startNodes(t, kindNATS, nil, "a", "b")
	a := openAccount(t, "room:all", 2*time.Millisecond, 2, list...)
	before := troubles(t, list)
	stranger, err := nats.Connect(scheme[kindNATS] + c.broker.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stranger.Close)
	heard := make(chan *nats.Msg, 1<<16)
	sub, err := stranger.ChanSubscribe(subjectAll, heard)
	if err != nil {
		t.Fatal(err)
	}
	flush := func() {
		if err := stranger.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	a.begin(t)
	for range waittest.Sized(5, 500) {
		for _, subject := range []string{subjectAll, subjectNode, subjectNodes} {
			for _, data := range junk() {
				if err := stranger.Publish(subject, data); err != nil {
					t.Fatal(err)
				}
			}
		}
		flush()
		a.progress(t, "messages go both ways", 20)
	}
	a.end(t)
	a.closing(t)

	// Everything once more, the last first, and then in order.
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	flush()
	var old [][]byte
	for len(heard) > 0 {
		old = append(old, (<-heard).Data)
	}
	for i := range old {
		_ = stranger.Publish(subjectAll, old[len(old)-1-i])
	}
	for _, data := range old {
		_ = stranger.Publish(subjectAll, data)
	}
	flush()
	if missed := a.settle(t); missed != 0 {
		t.Errorf("%d messages were missed", missed)
	}
	for _, w := range a.watchers {
		w.checkWhole(t)
	}
	for _, n := range list {
		h := n.stats(t).PubSub
		t.Logf("%s: %d messages replayed, %d discarded, %d garbage", n.name, 2*len(old), h.Discarded, h.Garbage)
		if h.Garbage == 0 || h.Discarded == 0 {
			t.Errorf("%s counts %d as garbage and %d as discarded", n.name, h.Garbage, h.Discarded)
		}
		if !h.Connected {
			t.Errorf("%s is not connected: %+v", n.name, h)
		}
	}
	before.same(t)
}

// junk is what strangers might put on the subjects of a cluster.
func junk() [][]byte {
	list := [][]byte{nil, {0}, []byte("bn"), []byte("hello"), []byte(`{"topic":"room:all"}`), make([]byte, 100_000)}
	for kind := range 12 { // right at its beginning
		list = append(list, fmt.Appendf(nil, "bn\x01%c\x00\x00\x00\x00\x00\x00\x00\x01%s", kind, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	}
	return list
}
