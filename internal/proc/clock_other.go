//go:build !linux

package proc

import "time"

func clock(int) (time.Duration, bool) { return 0, false }
