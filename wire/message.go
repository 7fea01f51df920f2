package wire

// Opcode says how a frame is carried, with the numbers of RFC 6455.
type Opcode byte

// The two kinds of data frame.
const (
	Text   Opcode = 1
	Binary Opcode = 2
)

// Bounds on the names of a message, in bytes. The v2 binary form has one length
// byte for each field, so 255 is the most a topic or an event can ever have.
const (
	MaxTopic = 255
	MaxEvent = 255
	MaxRef   = 1024
)

// Events with a meaning of their own in the protocol.
const (
	EventJoin      = "phx_join"
	EventLeave     = "phx_leave"
	EventReply     = "phx_reply"
	EventClose     = "phx_close"
	EventError     = "phx_error"
	EventHeartbeat = "heartbeat"
)

// TopicPhoenix is the topic of heartbeats. No channel needs to exist for it.
const TopicPhoenix = "phoenix"

// Statuses of a reply. An application may use others.
const (
	StatusOK    = "ok"
	StatusError = "error"
)

// Payload is what a message carries: JSON text, or bytes when Binary is set.
// The zero Payload is written as the empty object.
//
// Whoever receives a Payload must not change Data.
type Payload struct {
	Data   []byte
	Binary bool
}

// Message is one message from a client.
type Message struct {
	// JoinRef names the join that the sender believes is current; null is
	// always accepted.
	JoinRef Ref
	// Ref is chosen by the client and echoed in replies.
	Ref Ref
	// Topic is empty when the client sent something other than a string, or a
	// name out of bounds; OddTopic then has its JSON text, to be echoed.
	Topic    string
	OddTopic string
	// Event is empty when the client sent something other than a string, or a
	// name out of bounds. No handler can be registered for it.
	Event   string
	Payload Payload
}

// Reply answers one message.
type Reply struct {
	JoinRef  Ref
	Ref      Ref
	Topic    string
	OddTopic string // JSON text of a topic that is not a string; wins over Topic
	Status   string
	Response Payload
}

// Push is a message from a channel to its client. Ref is null but for phx_close
// and phx_error, which carry the join_ref there too.
type Push struct {
	JoinRef Ref
	Ref     Ref
	Topic   string
	Event   string
	Payload Payload
}

// Broadcast is a message to every subscriber of a topic. It has no refs.
type Broadcast struct {
	Topic   string
	Event   string
	Payload Payload
}

// A Serializer translates between messages and the payload of frames for one
// version of the protocol. It does no I/O and keeps no state, so one value serves all
// connections at once. Serializers are compared with ==: use a pointer or a
// struct without fields.
//
// The Append methods add the encoded message to dst, which may be nil, and
// return the extended slice with the opcode it must travel under. On error dst
// must not be used.
type Serializer interface {
	// Decode reads one message. It bounds every length, depth and count before
	// taking memory, and it keeps data: Payload.Data may alias it. A payload that
	// is not Binary has been found to be one JSON value; nobody checks it again.
	//
	// With an error, a Message with a Topic or an OddTopic is one that is framed well and
	// has other faults: its sender is told, and the connection goes on. Its Payload is not
	// looked at. With any other error the connection is closed.
	Decode(op Opcode, data []byte) (Message, error)
	AppendReply(dst []byte, r *Reply) (Opcode, []byte, error)
	AppendPush(dst []byte, p *Push) (Opcode, []byte, error)
	AppendBroadcast(dst []byte, b *Broadcast) (Opcode, []byte, error)
}
