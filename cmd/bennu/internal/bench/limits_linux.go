package bench

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reserve is the number of open files that are not connections.
const reserve = 64

// raiseFiles raises the limit on open files as far as the system allows. It is an error if that is not
// enough.
func raiseFiles(need int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("the limit on open files cannot be read: %w", err)
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("the limit on open files cannot be raised: %w", err)
		}
	}
	if uint64(need) > limit.Max {
		return fmt.Errorf("%d connections need %d open files, and this process may have %d; use at most --connections %d, raise the limit (ulimit -Hn), or run several bench processes",
			need-reserve, need, limit.Max, max(int64(limit.Max)-reserve, 0))
	}
	return nil
}
