//go:build linux || darwin

package waittest

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// take waits until no other process of this user has the turn. The system gives it back
// when the process ends, however that happens.
func (t Turn) take() error {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("bennu-test-%s-%d", t, os.Getuid()))
	// It stays open until the process ends.
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	for {
		if err = unix.Flock(fd, unix.LOCK_EX); err != unix.EINTR {
			return err
		}
	}
}
