package tracker

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/heaptest"
)

const many = 100_000

// crowd is a replica with n entries in one topic, each of an owner of its own.
func crowd(tb testing.TB, name string, n int) *State {
	tb.Helper()
	s, err := NewState(Replica{name, 1}, Config{})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		if _, err := s.Track("room:lobby", Owner(i), keyOf(i), metaOf(i)); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// catchUp passes messages between two replicas until they have no more to say, and
// returns the diff at the second.
func catchUp(tb testing.TB, a, b *State) (d Diff, bytes int) {
	tb.Helper()
	now := max(a.last, b.last) + time.Second
	_, toA := b.Tick(now)
	_, toB := a.Tick(now)
	for a.sent < a.own.clock {
		_, more := a.Tick(now)
		toB = append(toB, more...)
	}
	for len(toA)+len(toB) > 0 {
		for _, m := range toB {
			m, n := recode(tb, m)
			bytes += n
			diff, out := b.Receive(now, m)
			d.Joins, d.Leaves = append(d.Joins, diff.Joins...), append(d.Leaves, diff.Leaves...)
			toA = append(toA, out...)
		}
		toB = nil
		for _, m := range toA {
			m, _ := recode(tb, m)
			_, out := a.Receive(now, m)
			toB = append(toB, out...)
		}
		toA = nil
	}
	return d, bytes
}

// BenchmarkMemory reports what an entry takes, the 49 bytes of its key and meta
// included: on the node that tracks it, and on another.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		before := heaptest.Live()
		own := crowd(b, "a", many)
		middle := heaptest.Live()
		b.ReportMetric(float64(middle-before)/many, "own-B/entry")
		other := crowd(b, "b", 0)
		_, _ = catchUp(b, own, other)
		after := heaptest.Live()
		if other.Count("room:lobby") != many {
			b.Fatalf("%d arrived", other.Count("room:lobby"))
		}
		b.ReportMetric(float64(after-middle)/many, "remote-B/entry")
		runtime.KeepAlive(own)
	}
}

// BenchmarkTrack tracks and untracks an entry where many are.
func BenchmarkTrack(b *testing.B) {
	for _, n := range []int{1000, many} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := crowd(b, "a", n)
			meta := metaOf(0)
			s.sent = 1 << 60 // nobody waits for the changes
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				owner := Owner(n + i)
				if _, err := s.Track("room:lobby", owner, "user:x", meta); err != nil {
					b.Fatal(err)
				}
				s.UntrackOwner(owner)
			}
		})
	}
}

// BenchmarkFill tracks many entries from the first to the last.
func BenchmarkFill(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		crowd(b, "a", many)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/track")
}

func BenchmarkUpdate(b *testing.B) {
	s := crowd(b, "a", many)
	s.sent = 1 << 60
	meta := metaOf(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Update("room:lobby", Owner(i%many), keyOf(i%many), meta); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	s := crowd(b, "a", many)
	_, _ = s.Track("room:small", 1, "user:1", nil)
	b.Run("100000", func(b *testing.B) {
		for b.Loop() {
			s.List("room:lobby")
		}
	})
	b.Run("1", func(b *testing.B) {
		for b.Loop() {
			s.List("room:small")
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			s.Get("room:lobby", "user:004711")
		}
	})
}

// BenchmarkMerge takes in a heartbeat of 1,000 changes where many entries are.
func BenchmarkMerge(b *testing.B) {
	own, other := crowd(b, "a", many), crowd(b, "b", 0)
	_, _ = catchUp(b, own, other)
	b.SetBytes(0)
	meta := metaOf(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		for k := range 1000 {
			n := (i*1000 + k) % many
			if _, err := own.Update("room:lobby", Owner(n), keyOf(n), meta); err != nil {
				b.Fatal(err)
			}
		}
		_, out := own.Tick(own.last + time.Second)
		data := out[0].Append(nil)
		b.SetBytes(int64(len(data)))
		b.StartTimer()
		m, err := Decode(data)
		if err != nil {
			b.Fatal(err)
		}
		if diff, _ := other.Receive(own.last, m); len(diff.Joins) != 1000 {
			b.Fatalf("%d joins", len(diff.Joins))
		}
	}
}

// BenchmarkFullState brings many entries to a replica that is new.
func BenchmarkFullState(b *testing.B) {
	own := crowd(b, "a", many)
	own.sent = own.own.clock
	for b.Loop() {
		other := crowd(b, "b", 0)
		d, n := catchUp(b, own, other)
		if len(d.Joins) != many {
			b.Fatalf("%d joins", len(d.Joins))
		}
		b.SetBytes(int64(n))
		own.drop(own.peers["b"], &Diff{})
	}
}

// BenchmarkDown hides and shows the entries of a replica beside many others.
func BenchmarkDown(b *testing.B) {
	own, other := crowd(b, "a", many), crowd(b, "b", 1000)
	_, _ = catchUp(b, other, own)
	p := own.peers["b"]
	for b.Loop() {
		var d Diff
		own.lower(p, &d)
		own.raise(p, &d)
	}
}
