package cluster

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// partitioned starts three nodes, each with a network of its own: embedded, or at a
// Redis that stands beside node a.
func partitioned(t *testing.T, kind string, change func(*nodeOptions)) (*namespaces, []*node) {
	t.Helper()
	names := []string{"a", "b", "c"}
	s := makeNamespaces(t, names...)
	c := newNodes(t, kindEmbedded) // without a broker on this network
	o := nodeOptions{Kind: kind, Secret: []byte("what the nodes of this cluster share"), Probe: waittest.Sized(time.Second, 0)}
	if change != nil {
		change(&o)
	}
	if kind == kindRedis {
		o.URL = scheme[kind] + redisIn(t, s, "a")
	} else {
		for _, name := range names {
			o.Peers = append(o.Peers, s.addrs[name]+":6222")
		}
	}
	for _, name := range names {
		o.Node = name
		if kind == kindEmbedded {
			o.Listen = s.addrs[name] + ":6222"
		}
		o.Control = filepath.Join(c.dir, name+".control")
		o.Clients = filepath.Join(c.dir, name+".clients")
		c.run(o, s.in(name)...)
	}
	c.meet()
	return s, c.list
}

// redisIn runs Redis in a network and returns its address there.
func redisIn(t *testing.T, s *namespaces, name string) string {
	t.Helper()
	redistest.Need(t)
	in := func(program string, args ...string) *exec.Cmd {
		all := append(append(s.in(name), program), args...)
		return exec.Command(all[0], all[1:]...)
	}
	addr := s.addrs[name]
	server := in("redis-server", "--bind", addr, "--protected-mode", "no", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	eventually(t, "Redis answers", func() bool { return in("redis-cli", "-h", addr, "ping").Run() == nil })
	return addr + ":6379"
}

// TestPartition (F27): networks that are cut in two, that lose one direction, and that
// come and go. Afterwards all nodes hear each other, nothing came twice or out of order,
// and what was missed was told of and counted.
func TestPartition(t *testing.T) {
	needNamespaces(t)
	for _, row := range []struct {
		name   string
		fault  func(s *namespaces)
		intact [][2]string // who must miss nothing of each other
	}{
		{"two and one", func(s *namespaces) {
			for _, n := range []string{"a", "b"} {
				s.drop(n, "c")
				s.drop("c", n)
			}
			lasts(waittest.Sized(8*time.Second, time.Minute))
		}, [][2]string{{"a", "b"}}},
		{"all alone", func(s *namespaces) {
			for _, from := range []string{"a", "b", "c"} {
				for _, to := range []string{"a", "b", "c"} {
					if from != to {
						s.drop(from, to)
					}
				}
			}
			lasts(waittest.Sized(8*time.Second, time.Minute))
		}, nil},
		{"one direction", func(s *namespaces) {
			s.drop("a", "c")
			lasts(waittest.Sized(8*time.Second, time.Minute))
		}, [][2]string{{"a", "b"}, {"b", "c"}}},
		{"flapping", func(s *namespaces) {
			for range waittest.Sized(6, 30) {
				for _, n := range []string{"a", "b"} {
					s.drop(n, "c")
					s.drop("c", n)
				}
				lasts(2 * time.Second)
				s.heal()
				lasts(2 * time.Second)
			}
		}, [][2]string{{"a", "b"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, list := partitioned(t, kindEmbedded, nil)
			a := openAccount(t, "room:all", 5*time.Millisecond, 3, list...)
			a.begin(t)
			a.progress(t, "all hear each other", 50)
			row.fault(s)
			s.heal()
			since := time.Now()
			a.progress(t, "all hear each other again", 20)
			waittest.AtMost(t, "all hear each other after", time.Since(since), 15*time.Second)
			for _, n := range list {
				eventually(t, "each node knows the two others", func() bool { return len(n.stats(t).PubSub.Peers) == 2 })
			}
			a.end(t)
			missed := a.settle(t)
			if missed == 0 && row.name != "flapping" {
				t.Error("nothing was missed: the network was sound")
			}
			for _, pair := range row.intact {
				a.intact(t, pair[0], pair[1])
			}
			for _, n := range list {
				if st := n.stats(t); st.PubSub.Conflicts+st.PubSub.Garbage+st.Unsound != 0 {
					t.Errorf("%s: %+v", n.name, st)
				}
			}
		})
	}
}
