package cluster

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// TestHeld floods a node with what others said before they ended. The first words of a node
// that starts meanwhile are delivered when it has proved that it is alive.
func TestHeld(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, e *ear) {
		<-n.Interest("t")
		channel := TopicChannel("bennu", "t")
		l := n.lanes[laneOf(channel, len(n.lanes))]
		come := func(boot, seq uint64, payload string) {
			env := envelope{kind: kindText, boot: boot, serial: seq, epoch: 1, seq: seq,
				message: pubsub.Message{Topic: "t", Event: fmt.Sprint(boot, "/", seq), Payload: []byte(payload)}}
			n.Message(channel, n.codec.encode(channel, &env))
		}
		flood := func() {
			for seq, size := range []int{0, 1000, 100_000, 10_000, 100, 10, 0, 0} {
				for boot := range uint64(maxHeldBoots - 1) {
					come(100+boot, uint64(seq)+1, strings.Repeat("x", size))
				}
			}
			synctest.Wait()
			if l.held.bytes > maxHeldBytes || len(l.held.boots) > maxHeldBoots {
				t.Errorf("%d bytes of %d nodes are held", l.held.bytes, len(l.held.boots))
			}
		}
		flood()
		for range 2 * maxHeldBytes >> 10 { // the first and copies of it
			come(5, 1, strings.Repeat("x", 1<<10))
			come(5, 2, "second")
		}
		flood()
		(&mate{n: n, w: w, boot: 5, name: "other"}).join()
		messages, gaps := e.take()
		if fmt.Sprint(messages) != "[5/1 5/2]" || len(gaps) != 0 {
			t.Errorf("got %v and the gaps %v", messages, gaps)
		}
		// Who does not answer is not waited for without end, however often it is heard.
		for range 2 * holdTime / askPause {
			come(100, 1, "again")
			time.Sleep(askPause)
		}
		synctest.Wait()
		if n := len(l.held.boots); n != 0 {
			t.Errorf("messages of %d nodes are held", n)
		}
		if h := n.Health(); h.Gaps != 0 || h.Received != 2 {
			t.Errorf("health %+v", h)
		}
	})
}
