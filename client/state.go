package client

import "fmt"

// State is the state of a channel.
type State int

// The states of a channel.
const (
	// StateClosed: not joined yet, left, or closed by the server.
	StateClosed State = iota
	// StateJoining: the join was sent, or waits for the connection.
	StateJoining
	// StateJoined: the server has accepted the join.
	StateJoined
	// StateErrored: it went down, and joins again by itself.
	StateErrored
)

// String returns "closed", "joining", "joined" or "errored".
func (s State) String() string {
	switch s {
	case StateClosed:
		return "closed"
	case StateJoining:
		return "joining"
	case StateJoined:
		return "joined"
	case StateErrored:
		return "errored"
	}
	return fmt.Sprintf("State(%d)", int(s))
}
