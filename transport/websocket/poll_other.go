//go:build !linux || noepoll

package websocket

import "net"

// pollState is the part of a connection that only a polled one needs. On this system there are
// none.
type pollState struct{ writable bool }

// pollers has no pollers on this system.
type pollers struct{}

// makePollers does nothing on this system.
func (s *server) makePollers(int) {}

// poll reports false: no connection is polled on this system.
func (s *server) poll(*conn, net.Conn) bool { return false }
