package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the largest latency that is recorded; larger ones count as longest.
const longest = 10 * time.Minute

// latencies counts latencies in microseconds, to three digits.
type latencies struct{ h *hdrhistogram.Histogram }

func newLatencies() *latencies {
	return &latencies{hdrhistogram.New(1, longest.Microseconds(), 3)}
}

func (l *latencies) record(d time.Duration) {
	// The only error is that of a value out of range, which cannot happen here.
	_ = l.h.RecordValue(min(max(d, 0), longest).Microseconds())
}

// Latency is a distribution of latencies in microseconds.
type Latency struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50_us"`
	P90   int64 `json:"p90_us"`
	P99   int64 `json:"p99_us"`
	P999  int64 `json:"p99_9_us"`
	Max   int64 `json:"max_us"`
}

func (l *latencies) summary() *Latency {
	if l == nil || l.h.TotalCount() == 0 {
		return nil
	}
	at := l.h.ValueAtPercentiles([]float64{50, 90, 99, 99.9})
	return &Latency{Count: l.h.TotalCount(), P50: at[50], P90: at[90], P99: at[99], P999: at[99.9], Max: l.h.Max()}
}

// A pacer says when each of a number of operations is due: operation i at start + i/rate, even if it is
// done later. Latencies count from that time, so a stall of the server counts for all operations that
// were due during the stall.
type pacer struct {
	start time.Duration // since the loop began
	rate  float64       // operations a second
	total int           // number of operations
}

// intended returns the time at which operation i is due.
func (p *pacer) intended(i int) time.Duration {
	return p.start + time.Duration(float64(i)*float64(time.Second)/p.rate)
}

// due returns the number of operations that are due by now.
func (p *pacer) due(now time.Duration) int {
	if now < p.start {
		return 0
	}
	n := int(float64(now-p.start)*p.rate/float64(time.Second)) + 1
	for n > 0 && n < p.total && p.intended(n) <= now { // operations that rounding has left out
		n++
	}
	return min(n, p.total)
}
