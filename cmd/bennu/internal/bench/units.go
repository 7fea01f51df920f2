package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// counts formats a map as "1013: 20, reset: 1".
func counts(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s: %d", what, m[what]))
	}
	return strings.Join(parts, ", ")
}

// short formats microseconds with three digits.
func short(us int64) string {
	switch v := float64(us); {
	case us < 1000:
		return fmt.Sprintf("%d µs", us)
	case us < 10_000:
		return fmt.Sprintf("%.2f ms", v/1e3)
	case us < 100_000:
		return fmt.Sprintf("%.1f ms", v/1e3)
	case us < 1_000_000:
		return fmt.Sprintf("%.0f ms", v/1e3)
	default:
		return fmt.Sprintf("%.2f s", v/1e6)
	}
}

// size formats bytes, in units of 1,024.
func size(bytes float64) string {
	switch v := max(bytes, -bytes); {
	case v < 1<<10:
		return fmt.Sprintf("%.0f B", bytes)
	case v < 1<<20:
		return fmt.Sprintf("%.1f KB", bytes/(1<<10))
	case v < 1<<30:
		return fmt.Sprintf("%.1f MB", bytes/(1<<20))
	default:
		return fmt.Sprintf("%.2f GB", bytes/(1<<30))
	}
}
