//go:build !linux || noepoll

package websocket

import "net"

// pollState is what engine B keeps in a connection. Here there is none.
type pollState struct{ writable bool }

// pollers are those of engine B.
type pollers struct{}

func (s *server) makePollers(int) {}

// poll gives a connection to engine B, which is not for this system.
func (s *server) poll(*conn, net.Conn) bool { return false }
