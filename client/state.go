package client

// State is the state of a channel.
type State string

// The states of a channel.
const (
	StateClosed  State = "closed"  // Join was not called yet, or the channel has ended
	StateJoining State = "joining" // a join waits for its answer, or for the connection
	StateJoined  State = "joined"  // pushes are sent at once
	StateErrored State = "errored" // down; it is going to join again
)
