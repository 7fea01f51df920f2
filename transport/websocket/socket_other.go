//go:build !linux

package websocket

import "errors"

// canPoll says that sockets can be read and written without waiting. On this system they are always
// used through net.Conn.
const canPoll = false

var errFull = errors.New("websocket: socket not ready")

func writeNow(int, [][]byte) (int, error) { return 0, errors.ErrUnsupported }

func isReadable(int) bool { return false }

func isHungUp(int) bool { return false }

func readNow(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
