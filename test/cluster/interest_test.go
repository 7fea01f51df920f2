package cluster

import (
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// TestInterest: a node on which nobody wants a topic gets no byte of it.
func TestInterest(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		const (
			topic = "room:loud"
			size  = 1 << 10
			// beat is what nodes and broker have to say to each other in the time of one
			// beat: much less than this.
			beat = 2 << 10
		)
		messages := waittest.Sized(1000, 10_000)
		c, list, p := startBehind(t, kind, 0)
		list[1].listen(t, "room:quiet")
		list[1].watch(t, "room:other")
		loud := func() (bytes int64) {
			before := p.received()
			for range messages / 1000 {
				r := do[published](t, list[0], "publish", publishing{Topic: topic, From: "a", Messages: 1000, Size: size})
				if r.Err != "" || r.Refused != 0 {
					t.Fatalf("publish: %+v", r)
				}
				eventually(t, "everything is sent", func() bool { return list[0].stats(t).PubSub.Buffered == 0 })
			}
			// What comes after it has seen it pass.
			fence := list[1].heard(t, "room:quiet").From["a"].Last
			list[0].publish(t, "room:quiet", 1)
			eventually(t, "a message arrives", func() bool { return list[1].heard(t, "room:quiet").From["a"].Last > fence })
			return p.received() - before
		}
		if c.broker != nil {
			ear := c.start("c", nil) // makes the broker carry it
			ear.listen(t, topic)
		}
		began := time.Now()
		idle := loud()
		most := int64(beat) * (2 + int64(time.Since(began)/(5*time.Second)))
		t.Logf("%d broadcasts of %d bytes to a topic that nobody there wants: %d bytes (at most %d), in %v", messages, size, idle, most, time.Since(began).Round(time.Millisecond))
		if idle > most {
			t.Errorf("a node got %d bytes of what it does not want", idle)
		}

		list[1].listen(t, topic)
		if wanted := loud(); wanted < int64(messages*size) {
			t.Errorf("a node that wants the topic got %d bytes: what is measured is not what it gets", wanted)
		}
	})
}
