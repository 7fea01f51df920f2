package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// A Cluster has masters, each with an equal part of the slots, and maybe replicas.
type Cluster struct {
	Masters []*Server
	// Replicas has one of each master, in the same order, or is empty.
	Replicas []*Server
}

// ClusterArgs make redis-server a node of a cluster.
var ClusterArgs = []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1500"}

// StartCluster runs a cluster until the test ends. more gives further arguments for
// each master.
func StartCluster(t testing.TB, masters int, replicas bool, more func(i int) []string) *Cluster {
	t.Helper()
	Need(t)
	c := &Cluster{}
	for i := range masters {
		args := ClusterArgs
		if more != nil {
			args = append(args[:len(args):len(args)], more(i)...)
		}
		s := Start(t, args...)
		c.Masters = append(c.Masters, s)
		s.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		s.Do(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*16384/masters), strconv.Itoa((i+1)*16384/masters-1))
	}
	if replicas {
		for range masters {
			c.Replicas = append(c.Replicas, Start(t, ClusterArgs...))
		}
	}
	c.Join(t, append(c.Masters[1:masters:masters], c.Replicas...)...)
	for i, s := range c.Replicas {
		waittest.Until(t, "the replica knows its master", func() bool {
			return s.Do(t, "CLUSTER", "REPLICATE", c.Masters[i].Do(t, "CLUSTER", "MYID")) == "OK"
		})
	}
	for _, s := range c.all() {
		waittest.Until(t, "the cluster is whole", func() bool {
			return strings.Contains(s.Do(t, "CLUSTER", "INFO"), "cluster_state:ok") && c.slots(t, s) == len(c.all())
		})
	}
	for _, s := range c.Replicas {
		waittest.Until(t, "the replica follows", func() bool { return strings.Contains(s.Do(t, "INFO", "replication"), "master_link_status:up") })
	}
	if !replicas { // a server that only stands still for a while is not dead
		c.nodeTimeout(t, "60000")
	}
	return c
}

// nodeTimeout sets how long a server may be silent. The shorter it is, the sooner all learn of
// changes.
func (c *Cluster) nodeTimeout(t testing.TB, ms string) {
	t.Helper()
	for _, s := range c.Masters {
		s.Do(t, "CONFIG", "SET", "cluster-node-timeout", ms)
	}
}

func (c *Cluster) all() []*Server {
	return append(c.Masters[:len(c.Masters):len(c.Masters)], c.Replicas...)
}

// slots counts the servers that one knows of and that have slots or follow who has.
func (c *Cluster) slots(t testing.TB, s *Server) (n int) {
	for _, line := range s.Lines(t, "CLUSTER", "NODES") {
		if strings.Contains(line, "slave") || len(strings.Fields(line)) > 8 {
			n++
		}
	}
	return n
}

// Join makes servers known to the cluster.
func (c *Cluster) Join(t testing.TB, servers ...*Server) {
	t.Helper()
	first := c.Masters[0]
	waittest.Until(t, "all have met", func() bool {
		met := true
		for _, s := range append([]*Server{first}, servers...) {
			nodes := s.Do(t, "CLUSTER", "NODES")
			met = met && !strings.Contains(nodes, "handshake")
			for _, other := range append([]*Server{first}, servers...) {
				if strings.Contains(nodes, fmt.Sprintf("@%d", other.bus)) {
					continue
				}
				met = false
				if s == first { // not yet, or the one it met was late to answer
					first.Do(t, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(other.Port), strconv.Itoa(other.bus))
				}
			}
		}
		return met
	})
}

// Addrs are the addresses of the masters.
func (c *Cluster) Addrs() (addrs []string) {
	for _, s := range c.Masters {
		addrs = append(addrs, s.Addr)
	}
	return addrs
}

// AddMaster runs one more master, which has no slots yet.
func (c *Cluster) AddMaster(t testing.TB) *Server {
	t.Helper()
	c.nodeTimeout(t, "1500") // for slots that move
	s := Start(t, ClusterArgs...)
	c.Join(t, s)
	c.Masters = append(c.Masters, s)
	return s
}

// MoveSlot gives a slot without keys to another master, as redis-cli --cluster
// reshard does it, and returns when all masters know.
func (c *Cluster) MoveSlot(t testing.TB, slot int, from, to *Server) {
	t.Helper()
	id, number := to.Do(t, "CLUSTER", "MYID"), strconv.Itoa(slot)
	c.epochs(t)
	// Without these two the new owner gets no newer epoch, and others go on believing
	// the old one.
	to.Do(t, "CLUSTER", "SETSLOT", number, "IMPORTING", from.Do(t, "CLUSTER", "MYID"))
	from.Do(t, "CLUSTER", "SETSLOT", number, "MIGRATING", id)
	// What a node has said of itself before may arrive late and undo it.
	waittest.Until(t, "all masters know who has the slot", func() bool {
		agreed := true
		for _, s := range append([]*Server{to, from}, c.Masters...) {
			if !hasSlot(s.Lines(t, "CLUSTER", "NODES"), id, slot) {
				agreed = false
				s.Do(t, "CLUSTER", "SETSLOT", number, "NODE", id)
			}
		}
		return agreed
	})
}

// epochs waits until all masters know the same newest epoch. Otherwise the next owner of a slot
// may take one that is older than that of the owner before, who would get the slot back.
func (c *Cluster) epochs(t testing.TB) {
	t.Helper()
	waittest.Until(t, "all masters know the newest epoch", func() bool {
		var first string
		for i, s := range c.Masters {
			for _, line := range s.Lines(t, "CLUSTER", "INFO") {
				epoch, ok := strings.CutPrefix(strings.TrimSpace(line), "cluster_current_epoch:")
				switch {
				case !ok:
				case i == 0:
					first = epoch
				case epoch != first:
					return false
				}
			}
		}
		return first != ""
	})
}

// hasSlot looks into the answer to CLUSTER NODES.
func hasSlot(nodes []string, id string, slot int) bool {
	for _, line := range nodes {
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[0] != id {
			continue
		}
		for _, part := range fields[8:] {
			first, last, isRange := strings.Cut(part, "-")
			a, err := strconv.Atoi(first)
			if err != nil {
				continue // a slot on its way, in brackets
			}
			b := a
			if isRange {
				b, _ = strconv.Atoi(last)
			}
			if a <= slot && slot <= b {
				return true
			}
		}
	}
	return false
}
