package tracker

import (
	"fmt"
	"testing"
	"time"
)

func TestHeartbeats(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.periods(12) // until each replica knows that the others know it
	c.took()
	// Idle, each of them beats once in eleven periods.
	c.periods(22)
	if got := c.took(); got != "heartbeat heartbeat heartbeat heartbeat" {
		t.Errorf("idle: %s", got)
	}
	// A replica with a change sends it, and sends heartbeats until all have it.
	c.track(s[0], "x")
	c.periods(1)
	if got := c.took(); got != "heartbeat" {
		t.Errorf("after a change: %s", got)
	}
	c.list(s[1], "x=1")
	s[1].wake()
	c.periods(1)
	c.took()
	c.periods(5)
	if got := c.took(); got != "" {
		t.Errorf("when all know: %s", got)
	}
	// A replica alone sends a heartbeat in every period: none can confirm that it is known.
	alone, _ := newCluster(t, Options{}, "a")
	alone.periods(3)
	if got := alone.took(); got != "heartbeat heartbeat heartbeat" {
		t.Errorf("alone: %s", got)
	}
}

// Two idle replicas must notice that a partition is over. Otherwise neither would send a heartbeat
// for a long time.
func TestHeal(t *testing.T) {
	for _, periods := range []int{3, 30} { // shorter than DownPeriod, and longer
		for _, both := range []bool{true, false} {
			t.Run(fmt.Sprint(periods, both), func(t *testing.T) {
				c, s := newCluster(t, Options{}, "a", "b", "c")
				c.track(s[0], "x")
				c.periods(20)
				c.drop = func(to *state, m *message) bool {
					return to == s[1] && m.from == s[0].self() || both && to == s[0] && m.from == s[1].self()
				}
				c.update(s[0], "x", "2")
				c.periods(periods)
				c.drop = nil
				c.periods(3)
				c.list(s[1], "x=2")
				compare(t, s...)
			})
		}
	}
}

// Two replicas that have not met learn of each other from a third, and do not wait for an idle heartbeat.
func TestStrangers(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b", "c")
	c.drop = func(to *state, m *message) bool { return to != s[2] && m.from != s[2].self() }
	c.track(s[0], "x")
	c.track(s[1], "y")
	c.periods(25)
	c.list(s[0], "x=1")
	c.drop = nil
	c.periods(2)
	compare(t, s...)
}

// A replica asks for each lost heartbeat when it notices it, not only for the first.
func TestAsksAgain(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.periods(3) // so that no sample is sent in the period in which it asks
	for i := range 3 {
		c.drop = func(*state, *message) bool { return true }
		c.track(s[0], fmt.Sprint("lost", i))
		c.periods(3)
		c.drop = nil
		c.track(s[0], fmt.Sprint("seen", i))
		c.periods(1)
		if got := s[1].counters().Requests; got != uint64(i+1) {
			t.Errorf("%d requests after loss %d", got, i+1)
		}
		compare(t, s...)
	}
}

// Many changes at once are sent in messages that a broker accepts.
func TestLargeDelta(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.periods(2)
	c.took()
	const n = 30_000
	for i := range n {
		if _, err := s[0].track(room, Owner(i), keyOf(i), metaOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5000 {
		s[0].untrackOwner(Owner(2 * i))
	}
	c.periods(1)
	if len(c.sent) < 3 {
		t.Errorf("%d messages", len(c.sent))
	}
	for i, m := range c.sent {
		got := len(m.append(nil))
		if got > s[0].opts.MessageBytes || i == 0 && got < s[0].opts.MessageBytes*4/5 {
			t.Errorf("%v takes %d bytes", m, got)
		}
	}
	if st := s[1].counters(); st.Gaps != 0 || st.Requests != 0 {
		t.Errorf("the parts do not fit together: %+v", st)
	}
	compare(t, s...)
	// So is the answer to a new replica.
	other := c.start("c", 1)
	c.took()
	c.periods(3)
	answers := 0
	for _, m := range c.sent {
		if got := len(m.append(nil)); got > s[0].opts.MessageBytes {
			t.Errorf("%v takes %d bytes", m, got)
		}
		if m.kind == answer {
			answers++
		}
	}
	if answers < 2 || answers > 10 {
		t.Errorf("%d answers", answers)
	}
	compare(t, s[0], s[1], other)
}

// Changes that do not fit into the messages of a period wait for the next one, and nobody asks for them.
func TestVeryLargeDelta(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.periods(2)
	s[0].opts.MessageBytes = 1
	c.took()
	c.track(s[0], numbered(20)...)
	for i, want := range []int{8, 16, 20} {
		c.periods(1)
		if got := s[1].count(room); got != want {
			t.Errorf("period %d: %d entries, want %d", i, got, want)
		}
	}
	if st := s[1].counters(); st.Requests != 0 {
		t.Errorf("%+v", st)
	}
}

// Many removals in one period stay deltas, however few are remembered after it.
func TestStormOfRemovals(t *testing.T) {
	c, s := newCluster(t, Options{History: 10}, "a", "b")
	c.track(s[0], numbered(900)...)
	c.periods(2)
	for _, storm := range []func(){
		func() {
			for _, key := range numbered(900) {
				c.update(s[0], key, "2")
			}
		},
		func() { s[0].untrackOwner(1) },
	} {
		c.clear()
		storm()
		c.periods(1)
		if n := len(c.diffs[s[1]].Leaves); n != 900 || s[1].counters().Requests != 0 {
			t.Errorf("%d leaves, %+v", n, s[1].counters())
		}
		if d := c.sent[0].deltas[0]; len(d.removals) != 900 {
			t.Errorf("the heartbeat has %d removals", len(d.removals))
		}
	}
	if len(s[0].own.removals) != 10 || len(s[1].peers["a"].removals) != 10 {
		t.Errorf("%d and %d removals are remembered", len(s[0].own.removals), len(s[1].peers["a"].removals))
	}
}

// A process that was stopped has not received the heartbeats of others, which were not silent.
func TestPause(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.track(s[0], "x")
	c.track(s[1], "y")
	c.periods(3)
	c.stop(s[0]) // its messages are lost, too
	c.periods(30)
	c.list(s[1], "y=1")
	c.states = append(c.states, s[0])
	c.clear()
	c.periods(3)
	c.diff(s[0], "")
	c.diff(s[1], "+x")
	compare(t, s...)
	// If they have really gone, they go down after the usual time.
	c.stop(s[1])
	c.now += time.Hour
	c.periods(8)
	c.diff(s[0], "")
	c.periods(13)
	c.diff(s[0], "-y")
}

// An idle replica that was away for less than DownPeriod, or whose heartbeat was lost, does
// not wait for its next idle heartbeat: until then it would be down.
func TestShortAbsence(t *testing.T) {
	for name, away := range map[string]func(c *cluster, s *state){
		"paused": func(c *cluster, s *state) {
			c.stop(s)
			c.periods(19)
			c.states = append(c.states, s)
		},
		"cut off": func(c *cluster, s *state) {
			c.periods(6)
			c.drop = func(to *state, m *message) bool { return to == s || m.from == s.self() }
			c.periods(12)
			c.drop = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newCluster(t, Options{}, "a", "b", "c")
			c.track(s[0], "x")
			c.track(s[1], "y")
			c.periods(12)
			s[0].wake()
			s[1].wake()
			s[2].wake()
			c.periods(1)
			c.clear()
			away(c, s[0])
			c.periods(25)
			for _, s := range s {
				c.diff(s, "")
			}
		})
	}
}

// The first Tick after a pause tells the others at once that this replica is back.
func TestLateTick(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.periods(13)
	c.took()
	for _, late := range []time.Duration{2, 3} {
		c.now += late * s[0].opts.BroadcastPeriod
		_, out := s[0].tick(c.now)
		if want := int(late) - 2; len(out) != want {
			t.Errorf("%d messages after %d periods, want %d", len(out), late, want)
		}
	}
}

// A replica that asks about more replicas than fit into a message sends several.
func TestManyWants(t *testing.T) {
	c, s := newCluster(t, Options{}, "a")
	a := s[0]
	var out []*message
	for i := range 250 {
		p := a.meet(replica{fmt.Sprintf("n%03d", i), 1}, &Diff{})
		out = a.ask(out, replica{"b", 1}, p)
	}
	if len(out) != 3 {
		t.Fatalf("%d requests", len(out))
	}
	for _, m := range out {
		recode(t, m)
	}
	// Parts that do not fit into one answer are asked for again.
	b := c.start("b", 1)
	for i := range 60 {
		id := replica{fmt.Sprintf("n%03d", i), 1}
		beat := &message{kind: heartbeat, from: id, deltas: []delta{{replica: id, end: 4}}}
		for k := range uint64(4) {
			beat.deltas[0].values = append(beat.deltas[0].values, value{clock: k + 1, topic: room, data: string(make([]byte, 8000)), keyLen: 1})
		}
		beat.deltas[0].hi, beat.deltas[0].asOf = 4, 4
		c.receive(b, beat)
		p := a.known(id)
		a.raise(p, &Diff{})
		p.heard, p.told = c.now, 4
	}
	a.meet(b.self(), &Diff{})
	b.meet(a.self(), &Diff{})
	out = nil
	for i := range 60 {
		out = a.ask(out, b.self(), a.order[i+1])
	}
	c.took()
	c.send(a, out...)
	if got := a.count(room); got != 240 {
		t.Errorf("%d entries arrived, want 240", got)
	}
	answers := 0
	for _, m := range c.sent {
		if n := len(m.append(nil)); n > a.opts.MessageBytes {
			t.Errorf("%v takes %d bytes", m, n)
		}
		if m.kind == answer {
			answers++
		}
	}
	if answers < 4 {
		t.Errorf("%d answers", answers)
	}
}
