package cluster

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// writers publish to topics, each its numbers one after the other, and insist on each. Each has a
// schedule of one message in a time, and one that is late catches up.
type writers struct {
	keepers  *keepers
	audience *audience
	every    time.Duration
	began    time.Time
	tasks    sync.WaitGroup
	stop     chan struct{}
	once     sync.Once

	published, retries atomic.Int64
}

// endWriter is the one of the last message of each topic.
const endWriter = 1 << 20

// write starts writers for each topic, which publish one message in a time.
func (k *keepers) write(c *audience, seed uint64, each int, every time.Duration, topics []*chronicle) *writers {
	w := &writers{keepers: k, audience: c, every: every, began: time.Now(), stop: make(chan struct{})}
	k.t.Cleanup(w.halt)
	for i, topic := range topics {
		for j := range each {
			r := rand.New(rand.NewPCG(seed, uint64(i*each+j)))
			w.tasks.Go(func() { w.run(r, topic, uint32(j+1)) })
		}
	}
	return w
}

func (w *writers) halt() {
	w.once.Do(func() { close(w.stop) })
	w.tasks.Wait()
}

// run publishes the messages of one writer. The first one comes at any time, so that not all writers
// publish at once.
func (w *writers) run(r *rand.Rand, topic *chronicle, writer uint32) {
	due := w.began.Add(time.Duration(r.Int64N(int64(w.every))))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for n := uint32(1); ; n++ {
		select {
		case <-timer.C:
			w.insist(r, topic, noted{writer, n})
		case <-w.stop:
			return
		}
		due = due.Add(w.every)
		timer.Reset(time.Until(due))
	}
}

// rate returns how many messages were published in a second, on average, until now.
func (w *writers) rate() float64 { return float64(w.published.Load()) / time.Since(w.began).Seconds() }

// insist publishes a message at any node until one says that it has it.
func (w *writers) insist(r *rand.Rand, topic *chronicle, n noted) {
	var last error
	if !waittest.Within(patience, func() bool {
		node := w.keepers.list[r.IntN(len(w.keepers.list))]
		answer, err := ask[kept](node.http, "keep", keeping{topic.topic, n})
		switch {
		case err != nil:
			last = err
		case answer.Err != "":
			last = fmt.Errorf("%s", answer.Err)
		default:
			at, err := parsePosition(answer.Offset)
			if err == nil {
				err = topic.acknowledged(at, n)
			}
			if err != nil {
				w.audience.wrong(fmt.Errorf("%s: %w", topic.topic, err))
			}
			w.published.Add(1)
			return true
		}
		w.retries.Add(1)
		return false
	}) {
		w.audience.wrong(fmt.Errorf("%s: no node takes %v: %w", topic.topic, n, last))
	}
}

// burst publishes some messages to each topic, under the name of a writer.
func (w *writers) burst(topics []*chronicle, writer, first, last uint32) {
	var all sync.WaitGroup
	for i, topic := range topics {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(writer), uint64(i)))
			for n := first; n <= last; n++ {
				w.insist(r, topic, noted{writer, n})
			}
		})
	}
	all.Wait()
}

// end stops the writers and publishes the last message of each topic.
func (w *writers) end(topics []*chronicle) {
	w.halt()
	w.burst(topics, endWriter, 1, 1)
}
