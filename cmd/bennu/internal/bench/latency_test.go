package bench

import (
	"math"
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	for _, rate := range []float64{0.5, 3, 1000, 7777.7, 1e6} {
		p := &pacer{start: 5 * time.Second, rate: rate, total: 1000}
		if n := p.due(5*time.Second - 1); n != 0 {
			t.Errorf("rate %v: %d are due before the start", rate, n)
		}
		for i := range 1000 {
			at := p.intended(i)
			if n := p.due(at); n < i+1 {
				t.Fatalf("rate %v: at the moment of operation %d %d are due", rate, i, n)
			}
			if want := 5*time.Second + time.Duration(float64(i)/rate*1e9); math.Abs(float64(at-want)) > 1000 {
				t.Fatalf("rate %v: operation %d at %v, want %v", rate, i, at, want)
			}
		}
		if n := p.due(time.Hour); n != 1000 {
			t.Errorf("rate %v: %d are due at the end", rate, n)
		}
	}
}

func TestLatencies(t *testing.T) {
	l := newLatencies()
	if l.summary() != nil {
		t.Error("nothing has a summary")
	}
	for i := range 1000 {
		l.record(time.Duration(i+1) * time.Millisecond)
	}
	l.record(-time.Second)
	l.record(24 * time.Hour)
	s := l.summary()
	near := func(name string, got int64, want time.Duration) {
		if math.Abs(float64(got)/float64(want.Microseconds())-1) > 0.01 {
			t.Errorf("%s is %d µs, want about %v", name, got, want)
		}
	}
	if s.Count != 1002 {
		t.Errorf("count %d", s.Count)
	}
	near("p50", s.P50, 500*time.Millisecond)
	near("p90", s.P90, 900*time.Millisecond)
	near("p99", s.P99, 990*time.Millisecond)
	near("max", s.Max, longest)
}
