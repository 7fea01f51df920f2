//go:build !linux

package websocket

import "errors"

// canPoll says that sockets can be read and written without waiting. On this system they are always
// used through net.Conn.
const canPoll = false

// errFull is never returned on this system.
var errFull = errors.New("websocket: socket not ready")

// These are never called on this system, or know nothing of a socket.
func writeNow(int, [][]byte) (int, error) { return 0, errors.ErrUnsupported }

func isReadable(int) bool { return false }

func isHungUp(int) bool { return false }

func readNow(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
