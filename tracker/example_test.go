package tracker_test

import (
	"fmt"
	"time"

	"github.com/bennu-go/bennu/tracker"
)

// Two nodes, with a loop in the place of a network.
func Example() {
	start := func(name string) *tracker.State {
		s, err := tracker.NewState(tracker.Replica{Name: name, Incarnation: 1}, tracker.Config{})
		if err != nil {
			fmt.Println(err)
		}
		return s
	}
	one, two := start("one"), start("two")

	diff, err := one.Track("room:lobby", 1, "ada", []byte(`{"device":"phone"}`))
	fmt.Println("one:", len(diff.Joins), "joined", err)

	now := 1500 * time.Millisecond
	_, beats := one.Tick(now)
	for _, m := range beats {
		received, err := tracker.Decode(m.Append(nil))
		if err != nil {
			fmt.Println(err)
			continue
		}
		diff, _ := two.Receive(now, received)
		for topic, part := range diff.ByTopic() {
			for _, e := range part.Joins {
				fmt.Println("two:", topic, e.Key(), e.Meta(), "from", e.Replica().Name)
			}
		}
	}
	// Output:
	// one: 1 joined <nil>
	// two: room:lobby ada {"device":"phone"} from one
}
