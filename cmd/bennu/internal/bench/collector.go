package bench

import (
	"math"
	"runtime/metrics"
)

// Collector has figures of the server's garbage collector since its start.
type Collector struct {
	Cycles int     `json:"gc_cycles"`
	CPU    float64 `json:"gc_cpu_seconds"` // that of idle processors too
	All    float64 `json:"cpu_seconds"`    // of the whole process, as the runtime estimates it at the last cycle
	// A pause is a time in which only the collector ran; there are a few in a cycle.
	PauseP50 float64 `json:"gc_pause_p50_us"`
	PauseP99 float64 `json:"gc_pause_p99_us"`
	PauseMax float64 `json:"gc_pause_max_us"`
	HeapLive int     `json:"heap_live_bytes"` // after the last cycle
}

func readCollector() (c Collector) {
	samples := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/sched/pauses/total/gc:seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"},
		{Name: "/cpu/classes/idle:cpu-seconds"},
	}
	metrics.Read(samples)
	for i := range samples {
		v := &samples[i].Value
		if v.Kind() == metrics.KindBad {
			continue // a later Go may not have it
		}
		switch i {
		case 0:
			c.Cycles = int(v.Uint64())
		case 1:
			c.CPU = v.Float64()
		case 2:
			c.HeapLive = int(v.Uint64())
		case 3:
			h := v.Float64Histogram()
			c.PauseP50, c.PauseP99, c.PauseMax = quantile(h, 0.5), quantile(h, 0.99), quantile(h, 1)
		case 4:
			c.All += v.Float64()
		case 5:
			c.All -= v.Float64()
		}
	}
	return c
}

// quantile returns the upper bound of the bucket with the quantile q, in microseconds.
func quantile(h *metrics.Float64Histogram, q float64) float64 {
	var total, seen uint64
	for _, n := range h.Counts {
		total += n
	}
	for i, n := range h.Counts {
		if seen += n; n > 0 && float64(seen) >= q*float64(total) {
			upper := h.Buckets[i+1]
			if math.IsInf(upper, 1) {
				upper = h.Buckets[i]
			}
			return upper * 1e6
		}
	}
	return 0
}
