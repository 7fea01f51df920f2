package faults

import (
	"bufio"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
)

// bystanders are clients that want nothing but their echoes while others misbehave.
// The stop function fails the test if one was disconnected or missed one.
func bystanders(t *testing.T, s *server, path string) (stop func()) {
	t.Helper()
	n := sized(10, 100)
	end := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	for i := range n {
		c := wstest.Dial(t, s.ws(path))
		topic := fmt.Sprintf("room:bystander-%d", i)
		joinRef := c.Join(topic)
		all.Go(func() {
			defer c.Abort()
			own, err := echo(c, joinRef, topic, end)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, own...)
			if err != nil {
				t.Errorf("a bystander: %v", err)
			}
		})
	}
	return func() {
		t.Helper()
		close(end)
		all.Wait()
		t.Logf("bystanders: %d echoes of %d clients", len(times), n)
		atMost(t, "bystanders' p99", percentile(times, 99), 100*time.Millisecond)
		atMost(t, "bystanders' p99.9", percentile(times, 99.9), 500*time.Millisecond)
	}
}

// echo asks for an echo every 100 ms and returns how long each took.
func echo(c *wstest.Client, joinRef, topic string, end <-chan struct{}) (times []time.Duration, err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	r := bufio.NewReader(c.Conn())
	for i := 0; ; i++ {
		select {
		case <-end:
			return times, nil
		case <-tick.C:
		}
		ref := fmt.Sprintf(`"e%d"`, i)
		began := time.Now()
		_ = c.Conn().SetDeadline(began.Add(wstest.Patience))
		if _, err := c.Conn().Write(wstest.Text(wstest.V2(joinRef, ref, topic, "echo", `{}`)).Append(nil)); err != nil {
			return times, err
		}
		f, err := wstest.ReadFrame(r)
		if err != nil {
			return times, err
		}
		if want := wstest.OK(joinRef, ref, topic); !sameJSON(string(f.Payload), want) {
			return times, fmt.Errorf("got %v, want %s", f, want)
		}
		times = append(times, time.Since(began))
	}
}
