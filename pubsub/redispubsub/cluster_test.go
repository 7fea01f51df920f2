package redispubsub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// Slots move to another master one after the other, and to a new master. The user has the
// permissions that the package documentation lists.
func TestMove(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, false, nil)
	fresh := c.AddMaster(t)
	for _, s := range c.Masters {
		s.Do(t, "ACL", "SETUSER", "bennu", "on", ">password", "resetchannels", "&bennu.*", "+publish", "+subscribe", "+unsubscribe", "+hello")
		s.Do(t, "ACL", "SETUSER", "bennu", "+spublish", "+ssubscribe", "+sunsubscribe", "+cluster|slots")
	}
	o := Options{Addrs: c.Addrs()[:1], Cluster: true, Username: "bennu", Password: "password"}
	a, b := start(t, "a", o), start(t, "b", o)
	boxes := make(map[string]*subscribertest.Box)
	for _, topic := range spread {
		boxes[topic] = subscribe(t, b, topic)
	}
	base := channels(t, c.Masters)
	owner := func(slot int) *redistest.Server { return c.Masters[slot*3/redisconn.Slots] }
	for i, topic := range spread {
		slot := redisconn.Slot("bennu.t." + strings.ReplaceAll(topic, ":", "=3A"))
		from, to := owner(slot), fresh
		if i%2 == 0 {
			to = c.Masters[(slices.Index(c.Masters, from)+1)%3]
		}
		c.MoveSlot(t, slot, from, to)
	}
	// The slots of the probe channels may have moved, too, and other channels are chosen.
	waittest.Until(t, "every topic has its channel", func() bool {
		now := channels(t, c.Masters)
		for _, channel := range base {
			if strings.HasPrefix(channel, "bennu.t.") && !slices.Contains(now, channel) {
				return false
			}
		}
		return true
	})
	for _, topic := range spread {
		gapTold(t, boxes[topic])
	}
	for _, topic := range spread {
		waittest.Until(t, "messages come on "+topic, func() bool {
			publish(t, a, topic, "healed")
			return len(boxes[topic].Events()) > 0
		})
	}
	waittest.Until(t, "all is well", func() bool { return a.Health().Connected && b.Health().Connected })
}

// A master is killed and its replica takes over.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, true, nil)
	o := Options{Addrs: c.Addrs(), Cluster: true}
	a, b := start(t, "a", o), start(t, "b", o)
	got := subscribe(t, b, "t")
	c.Masters[0].Kill(t)
	gapTold(t, got)
	heals(t, a, b, spread...)
	// Then a failover by command, without a loss. Redis abandons it after 5 s, and begins again if
	// the command comes before that.
	var asked time.Time
	waittest.Until(t, "the replica is master", func() bool {
		if c.Replicas[1].Says("master", "ROLE") {
			return true
		}
		if time.Since(asked) > 6*time.Second {
			asked = time.Now()
			c.Replicas[1].Do(t, "CLUSTER", "FAILOVER")
		}
		return false
	})
	heals(t, a, b, spread...)
}

// The Sentinels make the replica the master, by command and when the master is killed.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Addrs: s.Addrs(), MasterName: "other"}, `knows no master "other"`},
		{Options{Addrs: s.Addrs()[:1]}, "is a Sentinel; set option MasterName"},
	} {
		if _, err := tryStart(t, "n", c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q in it", err, c.want)
		}
	}
	o := Options{Addrs: s.Addrs(), MasterName: redistest.MasterName}
	a, b := start(t, "a", o), start(t, "b", o)
	got := subscribe(t, b, "t")
	publish(t, a, "t", "before")
	got.Want(t, "what came", "before")
	master, replica := s.Master, s.Replica
	for _, how := range []string{"asked for", "by death"} {
		t.Run(how, func(t *testing.T) {
			gaps := got.Gaps()
			if how == "by death" {
				master.Kill(t)
				s.Hasten(t)
			}
			var asked time.Time // it is abandoned when something is late
			waittest.Until(t, "the replica is master", func() bool {
				if replica.Says("master", "ROLE") {
					return true
				}
				if how != "by death" && time.Since(asked) > 30*time.Second {
					if s.Watchers[0].Do(t, "SENTINEL", "FAILOVER", redistest.MasterName) == "OK" {
						asked = time.Now()
					}
				}
				return false
			})
			waittest.Until(t, "the gap is told", func() bool { return got.Gaps() > gaps })
			waittest.Until(t, "both subscribe at the new master", func() bool {
				return slices.Contains(channels(t, []*redistest.Server{replica}), "bennu.n.a") &&
					slices.Contains(channels(t, []*redistest.Server{replica}), "bennu.n.b")
			})
			heals(t, a, b, fmt.Sprint("t", how))
			if how == "asked for" { // the other way round next
				master, replica = replica, master
				waittest.Until(t, "the old master follows", func() bool {
					return replica.Says("master_link_status:up", "INFO", "replication")
				})
				waittest.Until(t, "the Sentinels have it all", func() bool {
					for _, w := range s.Watchers {
						told := w.Do(t, "SENTINEL", "MASTER", redistest.MasterName)
						if !strings.Contains(told, fmt.Sprint(master.Port)) || !strings.Contains(told, "num-slaves\n1") || strings.Contains(told, "failover_in_progress") {
							return false
						}
					}
					return !strings.Contains(s.Watchers[0].Do(t, "SENTINEL", "REPLICAS", redistest.MasterName), "s_down")
				})
			}
		})
	}
}
