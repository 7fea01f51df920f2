package bench

import (
	"fmt"
	"math"
	"slices"
)

// spread is what several runs gave.
type spread struct{ values []float64 }

// of collects one figure of all runs of a kind. get returns NaN where there is none.
func (r *results) of(target, kind string, size int, get func(*report) float64) (s spread) {
	for _, x := range r.All {
		if x.Target == target && x.Kind == kind && x.Connections == size {
			if v := get(x.Report); !math.IsNaN(v) {
				s.values = append(s.values, v)
			}
		}
	}
	slices.Sort(s.values)
	return s
}

func (s spread) none() bool { return len(s.values) == 0 }

func (s spread) median() float64 {
	n := len(s.values)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return s.values[n/2]
	}
	return (s.values[n/2-1] + s.values[n/2]) / 2
}

// over is the ratio of the medians.
func (s spread) over(other spread) float64 { return s.median() / other.median() }

// String is the median, with least and most where they differ.
func (s spread) String() string {
	if s.none() {
		return "-"
	}
	least, most := number(s.values[0]), number(s.values[len(s.values)-1])
	if least == most {
		return number(s.median())
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.median()), least, most)
}

// number is v to three digits.
func number(v float64) string {
	switch {
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
