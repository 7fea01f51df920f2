package pubsubtest_test

import (
	"testing"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
	"github.com/bennu-go/bennu/test/replay"
)

// TestReplay publishes recorded messages again.
func TestReplay(t *testing.T) {
	var m pubsubtest.Memory
	var tape replay.Tape
	m.Record(tape.Add)
	replay.Run(t, func(t testing.TB, name string) pubsub.Adapter { return m.NodeWithSecret(t, name, replay.Secret) }, &tape, m.Inject)
}
