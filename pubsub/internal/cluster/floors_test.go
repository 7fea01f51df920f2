package cluster

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// TestFloors takes interest in one topic after the other for ten minutes, while another node
// publishes elsewhere. What the node published before the interest is refused at any time
// later, and what it publishes after arrives, also when it is on its way for long. What is
// kept of the node stays small.
func TestFloors(t *testing.T) {
	w := &wire{}
	inBubble(t, Options{}, w, func(t *testing.T, n *Node, e *ear) {
		other := (&mate{n: n, w: w, boot: 5, name: "other"}).join()
		come := func(topic string, serial uint64) (delivered bool) {
			channel := TopicChannel("bennu", topic)
			env := envelope{kind: kindText, boot: 5, serial: serial, epoch: serial, seq: 1, message: pubsub.Message{Topic: topic, Event: "e"}}
			n.Message(channel, n.codec.encode(channel, &env))
			messages, _ := e.take()
			return len(messages) == 1
		}
		const seconds = 600
		topic := func(second int) string { return fmt.Sprint("t", second) }
		for i := range seconds {
			other.say(n.control, envelope{kind: kindBeat, serial: uint64(10 * (i + 1))})
			<-n.Interest(topic(i))
			time.Sleep(time.Second)
			if late := i - 25; late >= 0 && late%20 == 0 && !come(topic(late), uint64(10*(late+1)+1)) {
				t.Errorf("a message to topic %d that was on its way for 25 s was refused", late)
			}
		}
		for i := 1; i < seconds; i += 20 {
			if come(topic(i), uint64(10*(i+1))) {
				t.Errorf("a message that is older than the interest in topic %d arrived", i)
			}
			if !come(topic(i), 10*seconds+1) {
				t.Errorf("a new message to topic %d was refused", i)
			}
		}
		n.peers.mu.Lock()
		defer n.peers.mu.Unlock()
		if marks := len(n.peers.known[5].marks); marks > maxMarks {
			t.Errorf("%d marks of a node", marks)
		}
	})
}

// TestMarks keeps few marks of a node however many moments there are, and a floor that is
// too low at most.
func TestMarks(t *testing.T) {
	p := &peers{}
	k := &peer{floor: 3}
	for moment := uint64(1); moment <= 10_000; moment++ {
		k.heardOf(10 * moment)
		k.mark(moment)
		if got := p.floorLocked(k, moment); got != 10*moment {
			t.Fatalf("floor %d at moment %d", got, moment)
		}
		if len(k.marks) > maxMarks {
			t.Fatalf("%d marks", len(k.marks))
		}
	}
	for moment := uint64(1); moment <= 10_000; moment++ {
		if got := p.floorLocked(k, moment); got > 10*moment {
			t.Fatalf("floor %d at moment %d", got, moment)
		}
	}
	if got := p.floorLocked(k, 0); got != 3 {
		t.Errorf("floor %d of no moment", got)
	}
}

// TestInterestMemory takes interest in topics far apart in time, in a large cluster.
func TestInterestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := New(Options{Node: "me"}, &wire{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(1000) {
			n.peers.known[i+1] = &peer{boot: i + 1}
		}
		n.Interest("first")
		const topics = 200
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range topics {
			time.Sleep(floorTime + 1)
			n.Interest(fmt.Sprint("room:", i))
		}
		runtime.ReadMemStats(&after)
		if bytes := (after.TotalAlloc - before.TotalAlloc) / topics; bytes > 2048 {
			t.Errorf("interest in a topic takes %d bytes", bytes)
		}
	})
}
