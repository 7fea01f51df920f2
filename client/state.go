package client

// State is the state of a channel.
type State string

// The states of a channel.
const (
	StateClosed  State = "closed"  // not joined yet, or ended
	StateJoining State = "joining" // a join was sent, or waits for the connection
	StateJoined  State = "joined"
	StateErrored State = "errored" // down, and about to join again
)
