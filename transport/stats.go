package transport

// Stats are the counters of a transport since its endpoint was made, of all mounts together. They
// are read one after another, not at one instant.
type Stats struct {
	Open    int64  // connections at this moment, including those that are closing
	Closing int64  // of them, those that are closed and whose clients have not closed their side
	Opened  uint64 // connections that were opened
	Refused uint64 // requests for a connection that were refused

	// Why connections ended. Each connection counts once at most.
	ClientClosed   uint64 // the client closed in order
	Lost           uint64 // the connection failed or ended without a close
	IdleTimeouts   uint64 // nothing was received within the idle timeout
	SlowConsumers  uint64 // the queue was full, or a write timed out
	ProtocolErrors uint64 // 1002 for what the client sent
	InvalidData    uint64 // 1007
	PolicyErrors   uint64 // 1008
	TooBig         uint64 // 1009
	ServerClosed   uint64 // closed by the server with any other code

	MessagesIn, BytesIn   uint64 // messages from clients, and their bytes
	MessagesOut, BytesOut uint64 // frames written to clients, and their bytes
	Writes                uint64 // calls that wrote them

	// Extra has further counters of the transport, by names that its documentation lists.
	Extra map[string]uint64
}
