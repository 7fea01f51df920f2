package follow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// The model has three nodes with real followers, a store that answers late or loses its answers, an
// adapter that loses, doubles and reorders messages, nodes that die between the store and the adapter,
// and six clients that are cut at random and resume. Every client must receive contiguous pieces of the
// log, no message twice, and be at the head in the end.

// modelOptions say what a run of the model is like.
type modelOptions struct {
	loss    float64       // of messages between nodes
	check   time.Duration // Options.Check
	noChain bool          // nodes take what comes in order of offset
	cuts    bool          // the store loses its tail at times
	peers   bool          // nodes see that another one has died
}

// model is one run.
type model struct {
	modelOptions
	t     *testing.T
	store *modelStore
	nodes []*modelNode
	mu    sync.Mutex // guards random, and acked
	rand  *rand.Rand
	acked map[int]bool
	crash int
	tasks sync.WaitGroup
}

// modelTopic is the topic of all clients.
const modelTopic = "room:1"

// chance is true with a probability.
func (m *model) chance(p float64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rand.Float64() < p
}

// between returns a random time.
func (m *model) between(least, most time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return least + time.Duration(m.rand.Int64N(int64(most-least)))
}

func (m *model) number(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rand.IntN(n)
}

// modelResult is what the clients of some runs saw.
type modelResult struct {
	published, received, gaps, doubled, behind, lost, refused, crashes int
	stats                                                              Stats
}

func (r *modelResult) add(o modelResult) {
	r.published += o.published
	r.received += o.received
	r.gaps += o.gaps
	r.doubled += o.doubled
	r.behind += o.behind
	r.lost += o.lost
	r.refused += o.refused
	r.crashes += o.crashes
	r.stats.add(o.stats)
}

const (
	modelPublishes = 25 * time.Second // messages are published and clients are cut for so long
	modelEnds      = 45 * time.Second
)

// runOnce runs the model once.
func runOnce(t *testing.T, seed uint64, o modelOptions) (result modelResult) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{modelOptions: o, t: t, rand: rand.New(rand.NewPCG(seed, 1)), acked: make(map[int]bool)}
		m.store = &modelStore{model: m, keys: make(map[int]*pubsub.Message)}
		for i := range 3 {
			n := &modelNode{model: m, name: fmt.Sprint("node", i)}
			m.nodes = append(m.nodes, n)
		}
		for _, n := range m.nodes {
			n.boot()
		}
		var clients []*modelClient
		for range 6 {
			c := &modelClient{model: m}
			clients = append(clients, c)
			c.later(m.between(0, 100*time.Millisecond), c.connect)
		}
		m.tasks.Go(m.publish)
		m.tasks.Go(func() { m.disturb(clients) })
		time.Sleep(modelEnds)
		for _, c := range clients {
			result.add(c.judge())
		}
		for _, c := range clients {
			c.stop()
		}
		for _, n := range m.nodes {
			n.kill()
			result.stats.add(n.stats)
		}
		m.tasks.Wait()
		result.published, result.crashes = len(m.store.log), m.crash
	})
	return result
}

// add sums counters.
func (s *Stats) add(o Stats) {
	s.Repairs += o.Repairs
	s.Filled += o.Filled
	s.Reads += o.Reads
	s.Rotations += o.Rotations
	s.Late += o.Late
}

// publish publishes about 60 messages a second at random nodes, each again until it is acknowledged.
func (m *model) publish() {
	time.Sleep(200 * time.Millisecond)
	for key, begun := 1, time.Now(); time.Since(begun) < modelPublishes; key++ {
		m.tasks.Go(func() {
			for !m.isAcked(key) {
				n := m.nodes[m.number(len(m.nodes))]
				m.tasks.Go(func() { n.publish(key) })
				time.Sleep(500 * time.Millisecond)
			}
		})
		m.mu.Lock()
		pause := time.Duration(m.rand.ExpFloat64() / 60 * float64(time.Second))
		m.mu.Unlock()
		time.Sleep(pause)
	}
}

func (m *model) isAcked(key int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acked[key]
}

func (m *model) ack(key int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked[key] = true
}

// disturb cuts clients, kills nodes, and lets the store lose its tail.
func (m *model) disturb(clients []*modelClient) {
	time.Sleep(500 * time.Millisecond)
	for begun := time.Now(); time.Since(begun) < modelPublishes; {
		clients[m.number(len(clients))].cut()
		if m.chance(.03) {
			m.nodes[m.number(len(m.nodes))].crash()
		}
		if m.cuts && m.chance(.08) {
			m.store.cut(1 + m.number(5))
		}
		time.Sleep(m.between(50*time.Millisecond, 400*time.Millisecond))
	}
}

// modelRuns is how many seeds are run: 200 with BENNU_FULL=1.
func modelRuns(few int) int {
	if os.Getenv("BENNU_FULL") != "" {
		return 10 * few
	}
	return few
}

func runModel(t *testing.T, runs int, o modelOptions) (sum modelResult) {
	for seed := range runs {
		sum.add(runOnce(t, uint64(seed), o))
	}
	t.Logf("%d runs: %d published, %d received, %d gaps, %d doubled, %d clients not at the head in the end, %d told lost, %d node deaths; %+v",
		runs, sum.published, sum.received, sum.gaps, sum.doubled, sum.behind, sum.lost, sum.crashes, sum.stats)
	return sum
}

// wantExact fails unless no client has noticed anything.
func (r modelResult) wantExact(t *testing.T) {
	t.Helper()
	if r.gaps != 0 || r.doubled != 0 || r.behind != 0 || r.refused != 0 || r.received == 0 {
		t.Errorf("%d gaps, %d doubled, %d behind, %d refused with a position that the store knows, of %d received",
			r.gaps, r.doubled, r.behind, r.refused, r.received)
	}
}

// TestModel runs the model as the design is.
func TestModel(t *testing.T) {
	runModel(t, modelRuns(20), modelOptions{loss: .03, check: time.Second}).wantExact(t)
}

// TestModelPeers lets the death of a node be the reason to look, with a check that comes late.
func TestModelPeers(t *testing.T) {
	runModel(t, modelRuns(2), modelOptions{loss: .03, check: 10 * time.Second, peers: true}).wantExact(t)
}

// TestModelLossy loses half of the messages.
func TestModelLossy(t *testing.T) {
	runModel(t, modelRuns(2), modelOptions{loss: .5, check: time.Second}).wantExact(t)
}

// TestModelCuts has a store that loses acknowledged messages. Clients are told, and what they get is
// still contiguous.
func TestModelCuts(t *testing.T) {
	sum := runModel(t, modelRuns(2), modelOptions{loss: .03, check: time.Second, cuts: true})
	sum.wantExact(t)
	if sum.lost == 0 || sum.stats.Rotations == 0 {
		t.Errorf("%d told lost, %d rotations", sum.lost, sum.stats.Rotations)
	}
}

// mostControls bounds how many seeds a control runs before it gives up. Few have nothing to find.
const mostControls = 200

// runControl runs seeds until one finds what it must.
func runControl(t *testing.T, o modelOptions, found func(modelResult) bool) {
	t.Helper()
	for seed := range mostControls {
		if found(runOnce(t, uint64(seed), o)) {
			t.Logf("found by the run with seed %d", seed)
			return
		}
	}
	t.Errorf("%d runs have found nothing", mostControls)
}

// TestModelWithoutChain is a control: the model finds nodes that take what comes.
func TestModelWithoutChain(t *testing.T) {
	runControl(t, modelOptions{loss: .03, check: time.Second, noChain: true}, func(r modelResult) bool { return r.gaps > 0 })
}

// TestModelWithoutCheck is a control: the model finds nodes that do not ask for what they were not told.
func TestModelWithoutCheck(t *testing.T) {
	runControl(t, modelOptions{loss: .5, check: time.Hour}, func(r modelResult) bool { return r.behind > 0 })
}
