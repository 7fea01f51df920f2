package tracker

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/heaptest"
)

const many = 100_000

// crowd returns a replica with n entries in one topic, each with another owner.
func crowd(tb testing.TB, name string, n int) *state {
	tb.Helper()
	s, err := newState(replica{name, 1}, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		if _, err := s.track("room:lobby", Owner(i), keyOf(i), metaOf(i)); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// catchUp passes messages between two replicas until they send none, and returns the diff at the second.
func catchUp(tb testing.TB, a, b *state) (d Diff, bytes int) {
	tb.Helper()
	now := max(a.last, b.last) + time.Second
	_, toA := b.tick(now)
	_, toB := a.tick(now)
	for a.sent < a.own.clock {
		_, more := a.tick(now)
		toB = append(toB, more...)
	}
	for len(toA)+len(toB) > 0 {
		for _, m := range toB {
			m, n := recode(tb, m)
			bytes += n
			diff, out := b.receive(now, m)
			d.Joins, d.Leaves = append(d.Joins, diff.Joins...), append(d.Leaves, diff.Leaves...)
			toA = append(toA, out...)
		}
		toB = nil
		for _, m := range toA {
			m, _ := recode(tb, m)
			_, out := a.receive(now, m)
			toB = append(toB, out...)
		}
		toA = nil
	}
	return d, bytes
}

// BenchmarkMemory measures the memory of an entry, with the 49 bytes of its key and meta, on the node that
// tracks it and on another.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		before := heaptest.Live()
		own := crowd(b, "a", many)
		middle := heaptest.Live()
		b.ReportMetric(float64(middle-before)/many, "own-B/entry")
		other := crowd(b, "b", 0)
		_, _ = catchUp(b, own, other)
		after := heaptest.Live()
		if other.count("room:lobby") != many {
			b.Fatalf("%d arrived", other.count("room:lobby"))
		}
		b.ReportMetric(float64(after-middle)/many, "remote-B/entry")
		runtime.KeepAlive(own)
	}
}

// BenchmarkTrack tracks and untracks an entry among many.
func BenchmarkTrack(b *testing.B) {
	for _, n := range []int{1000, many} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := crowd(b, "a", n)
			meta := metaOf(0)
			s.sent = 1 << 60 // nobody waits for the changes
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				owner := Owner(n + i)
				if _, err := s.track("room:lobby", owner, "user:x", meta); err != nil {
					b.Fatal(err)
				}
				s.untrackOwner(owner)
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
		if _, err := s.update("room:lobby", Owner(i%many), keyOf(i%many), meta); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	s := crowd(b, "a", many)
	_, _ = s.track("room:small", 1, "user:1", nil)
	b.Run("100000", func(b *testing.B) {
		for b.Loop() {
			s.list("room:lobby")
		}
	})
	b.Run("1", func(b *testing.B) {
		for b.Loop() {
			s.list("room:small")
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			s.get("room:lobby", "user:004711")
		}
	})
}

// BenchmarkMerge receives a heartbeat with 1,000 changes among many entries.
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
			if _, err := own.update("room:lobby", Owner(n), keyOf(n), meta); err != nil {
				b.Fatal(err)
			}
		}
		_, out := own.tick(own.last + time.Second)
		data := out[0].append(nil)
		b.SetBytes(int64(len(data)))
		b.StartTimer()
		m, err := decode(data)
		if err != nil {
			b.Fatal(err)
		}
		if diff, _ := other.receive(own.last, m); len(diff.Joins) != 1000 {
			b.Fatalf("%d joins", len(diff.Joins))
		}
	}
}

// BenchmarkFullState sends many entries to a new replica.
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

// BenchmarkDown hides and shows the entries of a replica among many others.
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
