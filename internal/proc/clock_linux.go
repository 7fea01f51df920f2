package proc

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock reads the clock of another process, as clock_getcpuclockid makes it: it counts
// nanoseconds where /proc/PID/stat counts hundredths of a second.
func clock(pid int) (time.Duration, bool) {
	var t unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|2), &t)
	return time.Duration(t.Nano()), err == nil
}
