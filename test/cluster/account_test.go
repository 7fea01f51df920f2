package cluster

import (
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// account is a topic in which nodes publish numbers to each other, with a tally on each
// node and clients that watch. In the end everything that was published must be
// accounted for.
type account struct {
	topic    string
	every    time.Duration
	nodes    []*node
	watchers []*watcher
	refused  map[string]int
	slowest  time.Duration
	lastOf   map[string]int
}

// openAccount begins with messages of each node, so that all know all numberings.
func openAccount(t testing.TB, topic string, every time.Duration, watchers int, list ...*node) *account {
	t.Helper()
	a := &account{topic: topic, every: waittest.Sized(8*every, every), nodes: list, refused: make(map[string]int), lastOf: make(map[string]int)}
	for _, n := range list {
		n.listen(t, topic)
	}
	for _, n := range list {
		for range watchers {
			a.watchers = append(a.watchers, n.watch(t, topic))
		}
	}
	a.acquaint(t)
	for _, n := range list {
		for from, c := range n.heard(t, topic).From {
			// On a machine so busy that a short probe fails, or that a node is late to take note of
			// interest, there is a gap already.
			if c.First != 1 && n.stats(t).PubSub.Gaps == 0 {
				t.Errorf("%s heard %d of %s first, though its interest was known everywhere before anything was published", n.name, c.First, from)
			}
		}
	}
	for _, w := range a.watchers {
		w.excuse()
	}
	return a
}

// acquaint returns when all nodes know of the interest that there is, and have told of it.
// A node that was late to take note of it has told so in what comes before its last message:
// that follows the last but one of each other node, and so what these asked for.
func (a *account) acquaint(t testing.TB) {
	t.Helper()
	a.closing(t)
	a.closing(t)
}

// begin lets all nodes publish, until end.
func (a *account) begin(t testing.TB) {
	t.Helper()
	for _, n := range a.nodes {
		do[struct{}](t, n, "flow", publishing{Topic: a.topic, From: n.options.Node, Every: a.every, Size: 200})
	}
}

func (a *account) end(t testing.TB) {
	t.Helper()
	for _, n := range a.nodes {
		a.book(t, n, do[published](t, n, "stop", publishing{Topic: a.topic, From: n.options.Node}))
	}
}

func (a *account) book(t testing.TB, n *node, p published) {
	t.Helper()
	a.lastOf[n.options.Node] = max(a.lastOf[n.options.Node], p.Last)
	a.refused[n.options.Node] += p.Refused
	a.slowest = max(a.slowest, p.Slowest)
	if p.Err != "" {
		t.Errorf("%s: Broadcast: %s", n.name, p.Err)
	}
}

// closing publishes one more message on each node until everybody has got the last ones,
// so that all gaps show in the numbers. A client that is about to join again misses the
// first.
func (a *account) closing(t testing.TB) {
	t.Helper()
	const round = 2 * time.Second
	for end := time.Now().Add(patience); ; {
		for _, n := range a.nodes {
			a.book(t, n, n.publish(t, a.topic, 1))
		}
		if within(round, func() bool { return a.behind(t) == "" }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the last messages never come: %s", a.behind(t))
		}
	}
}

// behind names somebody who does not have the last message of all.
func (a *account) behind(t testing.TB) string {
	t.Helper()
	for _, n := range a.nodes {
		h := n.heard(t, a.topic)
		for from, last := range a.lastOf {
			if h.From[from].Last < last {
				return n.name
			}
		}
	}
	for _, w := range a.watchers {
		for from, last := range a.lastOf {
			if w.tally.last(from) < last {
				return w.name
			}
		}
	}
	return ""
}

// progress waits until each node has heard so many more messages of each other one, at
// the small size a quarter of that.
func (a *account) progress(t testing.TB, what string, more int) {
	t.Helper()
	more = waittest.Sized((more+3)/4, more)
	goals := make(map[*node]map[string]int)
	for _, n := range a.nodes {
		goals[n] = make(map[string]int)
		h := n.heard(t, a.topic)
		for _, from := range a.nodes {
			goals[n][from.options.Node] = h.From[from.options.Node].Got + more
		}
	}
	eventually(t, what, func() bool {
		for _, n := range a.nodes {
			h := n.heard(t, a.topic)
			for from, goal := range goals[n] {
				if h.From[from].Got < goal {
					return false
				}
			}
		}
		return true
	})
}

// settle is the end: everything that was published was received or is counted as missed,
// and nothing else is;
// each node served itself; nothing came twice or too late; no client has a
// silent gap. It returns how many were missed.
func (a *account) settle(t testing.TB) (missed int) {
	t.Helper()
	a.closing(t)
	for _, n := range a.nodes {
		h, s := n.heard(t, a.topic), n.stats(t).PubSub
		gone, early := 0, 0 // those before the first that came may count as missed
		for from, c := range h.From {
			if c.Wrong != "" {
				t.Errorf("%s: %s", n.name, c.Wrong)
			}
			if from != n.options.Node {
				gone += c.missing()
				early += c.First - 1
			}
		}
		for from, last := range a.lastOf {
			c := h.From[from]
			if from == n.options.Node {
				if c.Got != last {
					t.Errorf("%s: %d of its own %d messages were delivered on it", n.name, c.Got, last)
				}
				continue
			}
			if c.Last != last {
				t.Errorf("%s: the last message of %s is %d, and it has %d", n.name, from, last, c.Last)
			}
		}
		if h.Missed < gone || h.Missed > gone+early {
			t.Errorf("%s: %d messages did not come, and it counts %d as missed in the topic, of %d in all, with %d gaps", n.name, gone, h.Missed, s.Missed, s.Gaps)
		}
		if int64(a.refused[n.options.Node]) > s.Lost {
			t.Errorf("%s: %d messages were refused, and it counts %d as lost", n.name, a.refused[n.options.Node], s.Lost)
		}
		if gone > 0 && h.Gaps == 0 {
			t.Errorf("%s: %d messages did not come, and a subscriber was never told", n.name, gone)
		}
		missed += gone
	}
	for _, w := range a.watchers {
		w.check(t)
	}
	t.Logf("%v messages published, %v refused, %d missed; slowest call %v", a.lastOf, a.refused, missed, a.slowest)
	return missed
}

// intact wants two nodes, which were connected all the time, to have missed nothing of
// each other.
func (a *account) intact(t testing.TB, x, y string) {
	t.Helper()
	for _, n := range a.nodes {
		from := x
		switch n.options.Node {
		case x:
			from = y
		case y:
		default:
			continue
		}
		if missing := n.heard(t, a.topic).From[from].missing(); missing != 0 {
			t.Errorf("%s missed %d messages of %s, to which it was connected all the time", n.name, missing, from)
		}
	}
}
