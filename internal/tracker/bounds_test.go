package tracker

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/heaptest"
)

// TestInboxMemory fills the inbox of a shard with messages that take much memory for their bytes.
func TestInboxMemory(t *testing.T) {
	from := replica{"other", 1}
	for name, change := range map[string]func(d *delta, clock uint64){
		"removals": func(d *delta, clock uint64) { d.removals = append(d.removals, removal{clock + 1, clock}) },
		"entries":  func(d *delta, clock uint64) { d.values = append(d.values, value{clock: clock}) },
		"topics": func(d *delta, clock uint64) {
			d.values = append(d.values, value{clock: clock, topic: fmt.Sprint(strings.Repeat("t", 1000), clock)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := delta{replica: from}
			for clock, size := uint64(1), 0; size < maxMessage/4; clock++ {
				change(&d, clock)
				d.hi, d.asOf, d.end = clock, clock+1, clock+1
				if size += 20; name == "topics" {
					size += 1000
				}
			}
			data := (&message{kind: heartbeat, from: from, deltas: []delta{d}}).append(nil)
			s := &shard{inbox: make(chan received, inboxMessages)}
			heaptest.Keeps(t, inboxBytes+len(data), func() {
				for {
					m, err := decode(data)
					if err != nil {
						t.Fatal(err)
					}
					if !s.receive(m, len(data)) {
						return
					}
				}
			})
			runtime.KeepAlive(s)
			runtime.KeepAlive(data)
		})
	}
}

// TestHistoryMemory removes entries a few at a time, and many at once. A list that grows has room
// for a quarter more.
func TestHistoryMemory(t *testing.T) {
	const history = 100_000
	for _, batch := range []int{100, history / 10, 10 * history} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			var l line
			heaptest.Keeps(t, 20*history, func() {
				for range 10 * history / batch {
					for range batch {
						l.record(removal{})
					}
					l.trim(history, math.MaxUint64)
				}
			})
			runtime.KeepAlive(&l)
		})
	}
}
