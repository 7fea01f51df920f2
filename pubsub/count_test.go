package pubsub

import "testing"

// team is a Subscriber that counts as any number.
type team struct {
	inbox
	p     *PubSub
	count int
}

// Subscribers calls the PubSub, as one may that takes a lock under which it subscribes.
func (g *team) Subscribers() int {
	g.p.Subscribe("elsewhere", &g.inbox).Cancel()
	return g.count
}

// TestSubscribers counts subscribers that stand for several, or for none.
func TestSubscribers(t *testing.T) {
	p := NewLocal()
	want := func(subscribers, topics int) {
		t.Helper()
		if n := p.Subscribers("t"); n != subscribers {
			t.Errorf("%d subscribers, want %d", n, subscribers)
		}
		if n := p.Topics(); n != topics {
			t.Errorf("%d topics, want %d", n, topics)
		}
	}
	g, h := &team{p: p}, &team{p: p, count: 2}
	first := p.Subscribe("t", g)
	want(0, 0)
	g.count = 3
	want(3, 1)
	second := p.Subscribe("t", h)
	want(5, 1)
	one := p.Subscribe("t", &inbox{})
	want(6, 1)
	g.count, h.count = 0, 0
	want(1, 1)
	one.Cancel()
	want(0, 0)
	publish(t, p, "t", "1")
	g.want(t, "1") // whatever it counts as
	h.count = 1
	first.Cancel()
	first.Cancel()
	want(1, 1)
	second.Cancel()
	want(0, 0)
}
