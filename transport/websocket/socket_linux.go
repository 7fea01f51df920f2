package websocket

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// canPoll says that sockets can be read and written without waiting.
const canPoll = true

// errFull means that the socket takes no bytes, or has none, at the moment.
var errFull = errors.New("websocket: socket not ready")

// writeNow writes parts with one system call, as many bytes as the socket takes.
func writeNow(fd int, parts [][]byte) (n int, err error) {
	for {
		if len(parts) == 1 {
			n, err = unix.Write(fd, parts[0])
		} else {
			n, err = unix.Writev(fd, parts)
		}
		switch err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, errFull
		}
		return max(n, 0), err
	}
}

// isReady reports whether a socket has one of the events at the moment, such as unix.POLLIN.
func isReady(fd int, events int16) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, 0)
		if err != unix.EINTR {
			return err == nil && n > 0
		}
	}
}

// isReadable reports whether a read would not wait.
func isReadable(fd int) bool { return isReady(fd, unix.POLLIN) }

// isHungUp reports whether the other end has closed its side of a socket, or is lost.
func isHungUp(fd int) bool { return isReady(fd, unix.POLLRDHUP) } // POLLERR and POLLHUP are always reported

// readNow reads the bytes that the socket has, up to len(p). The error is errFull if there are
// none.
func readNow(fd int, p []byte) (n int, err error) {
	for {
		n, err = unix.Read(fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, errFull
		case err == nil && n == 0:
			return 0, io.EOF
		}
		return max(n, 0), err
	}
}
