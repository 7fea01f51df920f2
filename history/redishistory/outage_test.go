package redishistory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// insist appends a number until the store has it.
func insist(t testing.TB, s history.Store, topic string, number uint64) (place history.Place) {
	t.Helper()
	waittest.Until(t, "the store takes an entry", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		p, err := s.Append(ctx, topic, &history.Entry{Event: "e", Payload: []byte("{}"), Boot: "b", Number: number}, &history.AppendOptions{Keep: plenty})
		if err != nil && !errors.Is(err, history.ErrUnavailable) && !errors.Is(err, history.ErrUnknown) {
			t.Errorf("Append: %v", err)
		}
		place = p
		return err == nil
	})
	return place
}

// A replica that lacks the tail of the log takes over, and more is appended than was lost. Positions before
// the tail are known, and lead to the new entries; those of the tail are unknown.
func TestLostTail(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", strconv.Itoa(master.Port))
	waittest.Until(t, "the replica follows", func() bool { return replica.Says("master_link_status:up", "INFO", "replication") })
	proxy := redistest.StartProxy(t)
	proxy.Point(master.Addr)
	st := start(t, Options{Addrs: []string{proxy.Addr}})
	var before, tail []history.Place
	for n := range uint64(10) {
		before = append(before, add(t, st, "t", n+1))
	}
	last := before[9]
	waittest.Until(t, "the replica has them", func() bool {
		return strings.HasPrefix(replica.Do(t, "XREVRANGE", "{bennu.h.t}s", "+", "-", "COUNT", "1"), fmt.Sprint(last.Offset, "-"))
	})
	replica.Do(t, "REPLICAOF", "NO", "ONE") // it gets nothing of what follows
	for n := range uint64(30) {
		tail = append(tail, add(t, st, "t", n+11))
	}
	proxy.Point(replica.Addr)
	proxy.Cut()
	master.Kill(t)

	// Another node, which has not seen the tail, goes on.
	other := start(t, Options{Addrs: []string{replica.Addr}})
	first := last
	for n := range uint64(60) {
		p, err := tryAdd(other, "t", "c", n+1)
		if err != nil || p.Prev != first.Offset || p.Epoch != last.Epoch {
			t.Fatalf("%+v after %+v: %v", p, first, err)
		}
		first = p
	}
	waittest.Until(t, "the store reaches the new master", func() bool {
		heads, err := st.Heads(t.Context(), []string{"t"})
		return err == nil && heads[0].Offset == first.Offset
	})
	for i, p := range before {
		if got := read(t, st, "t", p.Offset); !got.Known || len(got.Entries) != 69-i {
			t.Errorf("a place before the tail: known %t, %d entries, want %d", got.Known, len(got.Entries), 69-i)
		}
	}
	hits := 0
	for _, p := range tail {
		if read(t, st, "t", p.Offset).Known {
			hits++ // about one of 512
		}
	}
	if hits > 3 {
		t.Errorf("%d of %d places of the lost tail are known", hits, len(tail))
	}
	// A node that saw the tail ends the epoch. From then on all of them are unknown.
	if err := st.Rotate(t.Context(), "t", last.Epoch); err != nil {
		t.Fatal(err)
	}
	if h := headOf(t, other, "t"); h.Epoch == last.Epoch || h.Offset != 0 {
		t.Errorf("the head is %+v after Rotate", h)
	}
	for _, p := range append(before, tail...) {
		if read(t, st, "t", p.Offset).Known {
			t.Errorf("the place %+v is known after Rotate", p)
		}
	}
}

// The Sentinels make the replica the master. The store finds it, and every number is there once, unless it
// was lost with the old master.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	st := start(t, Options{Addrs: s.Addrs(), MasterName: redistest.MasterName})
	for n := range uint64(20) {
		insist(t, st, "t", n+1)
	}
	waittest.Until(t, "the replica has them", func() bool { return s.Replica.Says("20", "HGET", "{bennu.h.t}m", "n") })
	s.Master.Kill(t)
	if _, err := tryShort(st, 21); !errors.Is(err, history.ErrUnavailable) && !errors.Is(err, history.ErrUnknown) {
		t.Errorf("without a master: %v", err)
	}
	s.Hasten(t)
	insist(t, st, "t", 21)
	list := read(t, st, "t", 0).Entries
	if len(list) != 21 {
		t.Fatalf("%d entries, want 21", len(list))
	}
	for i := range list {
		if list[i].Number != uint64(i+1) {
			t.Errorf("entry %d has number %d", i, list[i].Number)
		}
	}
}

func tryShort(st history.Store, number uint64) (history.Place, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	return st.Append(ctx, "t", &history.Entry{Event: "e", Payload: []byte("{}"), Boot: "b", Number: number}, &history.AppendOptions{Keep: plenty})
}

// A master of a cluster is killed, and its replica takes over.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, true, nil)
	st := start(t, Options{Addrs: c.Addrs(), Cluster: true})
	var topics []string
	for i := range 24 {
		topics = append(topics, fmt.Sprint("topic:", i))
		insist(t, st, topics[i], 1)
	}
	c.Masters[0].Kill(t)
	for _, topic := range topics {
		insist(t, st, topic, 2)
		if h := headOf(t, st, topic); h.Offset == 0 {
			t.Errorf("topic %s has the head %+v", topic, h)
		}
	}
}

// Slots with logs move to another master, while entries are appended.
func TestMove(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, false, nil)
	fresh := c.AddMaster(t)
	waittest.Until(t, "the new master knows who has the slots", func() bool { return fresh.Says("cluster_slots_assigned:16384", "CLUSTER", "INFO") })
	st := start(t, Options{Addrs: c.Addrs()[:1], Cluster: true}).(*store)
	for i := range 6 {
		topic := fmt.Sprint("topic:", i)
		k := st.keys(topic)
		from, slot := c.Masters[k.slot()*3/16384], strconv.Itoa(k.slot())
		ok := func(s *redistest.Server, args ...string) {
			t.Helper()
			waittest.Until(t, strings.Join(args, " "), func() bool { return s.Do(t, args...) == "OK" }) // once it knows the other
		}
		first := insist(t, st, topic, 1)
		ok(fresh, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.Do(t, "CLUSTER", "MYID"))
		ok(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", fresh.Do(t, "CLUSTER", "MYID"))
		second := insist(t, st, topic, 2) // the keys are still there
		ok(from, "MIGRATE", "127.0.0.1", strconv.Itoa(fresh.Port), "", "0", "60000", "KEYS", k.meta(), k.stream())
		third := insist(t, st, topic, 3) // and now at the new master, which has the slot only for who asks
		c.MoveSlot(t, k.slot(), from, fresh)
		fourth := insist(t, st, topic, 4)
		if second.Prev != first.Offset || third.Prev != second.Offset || fourth.Prev != third.Offset || fourth.Epoch != first.Epoch {
			t.Errorf("%+v, %+v, %+v, %+v are no chain", first, second, third, fourth)
		}
		if n := len(read(t, st, topic, 0).Entries); n != 4 {
			t.Errorf("%d entries, want 4", n)
		}
	}
}

// The server restarts without its data: a new epoch begins.
func TestRestart(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	first := add(t, st, "t", 1)
	s.Kill(t)
	_, err := tryShort(st, 2)
	if !errors.Is(err, history.ErrUnavailable) && !errors.Is(err, history.ErrUnknown) {
		t.Errorf("without a server: %v", err)
	}
	waittest.Until(t, "the store knows that nothing is done", func() bool {
		_, err := tryShort(st, 2)
		return errors.Is(err, history.ErrUnavailable) && strings.Contains(err.Error(), s.Addr+" cannot be reached")
	})
	if _, err := st.Heads(t.Context(), []string{"t"}); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("Heads without a server: %v", err)
	}
	s.Restart(t)
	second := insist(t, st, "t", 2)
	if second.Epoch == first.Epoch || second.Prev != 0 {
		t.Errorf("%+v at a server without data, and %+v before", second, first)
	}
	if read(t, st, "t", first.Offset).Known && first.Offset != second.Offset {
		t.Errorf("the place %+v is known", first)
	}
}

// A server that stands still: the answer is not known, and then comes late. The entry is there once.
func TestSuspend(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	add(t, st, "t", 1)
	s.Suspend(t)
	_, err := tryShort(st, 2)
	if !errors.Is(err, history.ErrUnknown) {
		t.Errorf("a server that stands still: %v, want ErrUnknown", err)
	}
	// What waits behind it was not sent.
	if _, err := tryShort(st, 3); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("behind an answer that does not come: %v, want ErrUnavailable", err)
	}
	s.Resume(t)
	if p := insist(t, st, "t", 2); !p.Doubled {
		t.Errorf("the second try of what a server got that stood still: %+v", p)
	}
	if p := insist(t, st, "t", 3); p.Doubled {
		t.Errorf("what was not sent: %+v", p)
	}
}

// If the server becomes a replica, the store neither writes nor reads there.
func TestReplica(t *testing.T) {
	t.Parallel()
	other, s := redistest.Start(t), redistest.Start(t)
	st := start(t, Options{Addrs: []string{s.Addr}})
	add(t, st, "t", 1)
	read(t, st, "t", 0)
	s.Do(t, "REPLICAOF", "127.0.0.1", strconv.Itoa(other.Port))
	waittest.Until(t, "appends and reads say why", func() bool {
		_, err := tryAdd(st, "t", "b", 2)
		_, readErr := st.Heads(t.Context(), []string{"t"})
		return err != nil && readErr != nil && strings.Contains(err.Error(), "is a replica") && strings.Contains(readErr.Error(), "is a replica")
	})
	s.Do(t, "REPLICAOF", "NO", "ONE")
	insist(t, st, "t", 3)
}
