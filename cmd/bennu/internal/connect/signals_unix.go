//go:build unix

package connect

import (
	"os"
	"syscall"
)

func endSignals() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
}

func resizeSignals() []os.Signal { return []os.Signal{syscall.SIGWINCH} }

func isResize(s os.Signal) bool { return s == syscall.SIGWINCH }
