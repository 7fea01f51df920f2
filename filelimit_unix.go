//go:build unix

package bennu

import (
	"math"
	"syscall"
)

// fileLimit returns how many files the process may have open, or 0 if that is unknown.
func fileLimit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return int(min(uint64(l.Cur), math.MaxInt32))
}
