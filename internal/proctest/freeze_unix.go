//go:build unix

package proctest

import (
	"syscall"
	"testing"
)

// Freeze stops the program where it is. All that can be done with it then is to kill it.
func (p *Process) Freeze(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatalf("%s has ended before: %v", p.name, err)
	}
}
