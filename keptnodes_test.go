package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// TestKeptNodesWithCuts has clients that are cut at random and go on at another node, while the broker
// goes away and the store fails now and then.
func TestKeptNodesWithCuts(t *testing.T) {
	var broker pubsubtest.Memory
	store := new(keptStore)
	var failing atomic.Bool
	store.fail = func() error {
		if failing.Load() && rand.IntN(4) == 0 {
			return errors.Join(history.ErrUnavailable, errors.New("test"))
		}
		return nil
	}
	var nodes []*keeping
	for i := range 3 {
		ps, err := pubsub.New(t.Context(), &pubsub.Options{Adapter: broker.Node(t, fmt.Sprint("n", i))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ps.Close(context.Background()) })
		o := history.Options{Store: store, Topics: []history.Topic{{Pattern: "*", Size: 5000}}, Check: time.Second, CacheBytes: 1}
		nodes = append(nodes, serveStore(t, one("*", rooms()), ps, &o))
	}
	const messages, clients = 1500, 6
	stop := make(chan struct{})
	var wg, chaos sync.WaitGroup
	chaos.Go(func() {
		for {
			select {
			case <-stop:
				failing.Store(false)
				return
			case <-time.After(time.Duration(rand.IntN(40)) * time.Millisecond):
			}
			switch rand.IntN(3) {
			case 0:
				mend := broker.Break()
				time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
				mend()
			default:
				failing.Store(!failing.Load())
			}
		}
	})
	var mu sync.Mutex
	n := 0
	for p := range 3 {
		wg.Go(func() {
			for {
				mu.Lock()
				if n == messages {
					mu.Unlock()
					return
				}
				n++
				_, err := nodes[p].Publish(t.Context(), "a", "said", number(n))
				if err != nil {
					t.Error(err)
				}
				mu.Unlock()
				if rand.IntN(5) == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	var hearers []*hearer
	for range clients {
		hearers = append(hearers, &hearer{statuses: map[string]int{}})
	}
	// All begin at the beginning, which the first entry has.
	first := ""
	mu.Lock()
	for first == "" {
		o, err := nodes[0].Publish(t.Context(), "a", "begin", nil)
		if err == nil {
			first = o.String()
		}
	}
	base := n
	mu.Unlock()
	for _, w := range hearers {
		w.since = `"` + first + `"`
		wg.Go(func() {
			for len(w.got) < messages-base {
				c := wstest.Dial(t, nodes[rand.IntN(3)].url)
				c.Push("a", "phx_join", `{"since":`+w.since+`}`)
				for k := rand.IntN(200); k > 0 && len(w.got) < messages-base; k-- {
					m, ok := c.TryMessage()
					if !ok {
						break
					}
					w.hear(m)
				}
				c.Abort()
			}
		})
	}
	wg.Wait()
	close(stop)
	chaos.Wait()
	for _, w := range hearers {
		for i := range w.got {
			w.got[i] -= base
		}
		w.check(t, messages-base)
	}
}
