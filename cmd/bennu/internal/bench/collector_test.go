package bench

import (
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
)

func TestQuantile(t *testing.T) {
	h := &metrics.Float64Histogram{
		Counts:  []uint64{0, 90, 9, 1},
		Buckets: []float64{0, 1e-6, 2e-6, 3e-6, math.Inf(1)},
	}
	for q, want := range map[float64]float64{0.5: 2, 0.9: 2, 0.91: 3, 0.99: 3, 1: 3} {
		if got := quantile(h, q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := quantile(&metrics.Float64Histogram{Counts: []uint64{0}, Buckets: []float64{0, 1}}, 0.5); got != 0 {
		t.Errorf("the quantile of nothing is %v", got)
	}
}

// TestCollector finds all metrics in this version of Go.
func TestCollector(t *testing.T) {
	runtime.GC()
	if c := readCollector(); c.Cycles == 0 || c.CPU == 0 || c.All < c.CPU || c.PauseP50 == 0 || c.PauseMax < c.PauseP99 || c.PauseP99 < c.PauseP50 || c.HeapLive == 0 {
		t.Errorf("%+v", c)
	}
}
