package tracker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A cluster is a few replicas on a network that loses only the messages for which drop returns true.
type cluster struct {
	t      *testing.T
	opts   Options
	now    time.Duration
	states []*state
	diffs  map[*state]Diff
	drop   func(to *state, m *message) bool
	sent   []*message // since the last look
}

const room = "room:1"

func newCluster(t *testing.T, opts Options, names ...string) (*cluster, []*state) {
	c := &cluster{t: t, opts: opts, diffs: map[*state]Diff{}}
	for _, name := range names {
		c.start(name, 1)
	}
	return c, slices.Clone(c.states)
}

func (c *cluster) start(name string, incarnation uint64) *state {
	c.t.Helper()
	s, err := newState(replica{name, incarnation}, c.opts)
	if err != nil {
		c.t.Fatal(err)
	}
	c.states = append(c.states, s)
	return s
}

func (c *cluster) stop(s *state) {
	c.states = slices.DeleteFunc(c.states, func(other *state) bool { return other == s })
}

// periods lets periods pass, and delivers all messages that they cause.
func (c *cluster) periods(n int) {
	c.t.Helper()
	for range n {
		c.now += c.states[0].opts.BroadcastPeriod
		for _, s := range slices.Clone(c.states) {
			diff, out := s.tick(c.now)
			c.keep(s, diff)
			c.send(s, out...)
		}
	}
}

func (c *cluster) send(from *state, out ...*message) {
	c.t.Helper()
	for _, m := range out {
		c.sent = append(c.sent, m)
		to, direct := m.addressee()
		for _, s := range c.states {
			if s == from || direct && s.self().name != to.name || c.drop != nil && c.drop(s, m) {
				continue
			}
			c.receive(s, m)
		}
	}
}

func (c *cluster) receive(s *state, m *message) Diff {
	c.t.Helper()
	m, _ = recode(c.t, m)
	diff, out := s.receive(c.now, m)
	c.keep(s, diff)
	c.send(s, out...)
	return diff
}

func (c *cluster) keep(s *state, d Diff) {
	all := c.diffs[s]
	c.diffs[s] = Diff{append(all.Joins, d.Joins...), append(all.Leaves, d.Leaves...)}
}

// took returns the kinds of the messages that were sent since the last call.
func (c *cluster) took() string {
	var kinds []string
	for _, m := range c.sent {
		kinds = append(kinds, m.kind.String())
	}
	c.sent = nil
	return strings.Join(kinds, " ")
}

// diff checks the changes at a replica since the last call, such as "+a +b -c".
func (c *cluster) diff(s *state, want string) {
	c.t.Helper()
	d := c.diffs[s]
	delete(c.diffs, s)
	if got := describe(d); got != want {
		c.t.Errorf("diff at %s is %q, want %q", s.self().name, got, want)
	}
}

func describe(d Diff) string {
	var all []string
	for _, e := range d.Joins {
		all = append(all, "+"+e.Key())
	}
	for _, e := range d.Leaves {
		all = append(all, "-"+e.Key())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// list checks the entries that a replica lists in the room, such as "a=1 b=2".
func (c *cluster) list(s *state, want string) {
	c.t.Helper()
	var all []string
	for _, e := range s.list(room) {
		all = append(all, e.Key()+"="+e.Meta())
	}
	slices.Sort(all)
	if got := strings.Join(all, " "); got != want {
		c.t.Errorf("%s lists %q, want %q", s.self().name, got, want)
	}
}

// track tracks keys in the room, each for owner 1 with the meta "1".
func (c *cluster) track(s *state, keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		diff, err := s.track(room, 1, key, []byte("1"))
		if err != nil {
			c.t.Fatal(err)
		}
		c.keep(s, diff)
	}
}

func (c *cluster) update(s *state, key, meta string) {
	c.t.Helper()
	diff, err := s.update(room, 1, key, []byte(meta))
	if err != nil {
		c.t.Fatal(err)
	}
	c.keep(s, diff)
}

func (c *cluster) untrack(s *state, key string) { c.keep(s, s.untrack(room, 1, key)) }

// clear drops the recorded diffs and messages.
func (c *cluster) clear() {
	clear(c.diffs)
	c.sent = nil
}

func numbered(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("k%03d", i)
	}
	return all
}

// metaOf returns a meta like those of presence.
func metaOf(i int) []byte { return fmt.Appendf(nil, `{"online_at":17%08d,"device":"web"}`, i) }

func keyOf(i int) string { return fmt.Sprintf("user:%06d", i) }

// recode encodes and decodes a message.
func recode(tb testing.TB, m *message) (*message, int) {
	tb.Helper()
	data := m.append(nil)
	again, err := decode(data)
	if err != nil {
		tb.Fatal(err)
	}
	return again, len(data)
}
