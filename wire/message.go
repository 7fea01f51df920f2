package wire

// Opcode is the kind of a frame, with the number that RFC 6455 gives it.
type Opcode byte

// The kinds of frame.
const (
	Text   Opcode = 1
	Binary Opcode = 2
)

// Bounds on the fields of a message, in bytes. A binary frame of version 2 has one byte for the
// length of each field, so no topic or event can ever have more than 255.
const (
	MaxTopic = 255
	MaxEvent = 255
	MaxRef   = 1024
)

// A Message is a message from a client.
type Message struct {
	// JoinRef is the ref of the join to which the message belongs, as the client sees it. The
	// server drops a message of an earlier join. It accepts null for the current one.
	JoinRef Ref
	// Ref numbers the message. The reply repeats it.
	Ref Ref
	// Topic is empty if the client sent something other than a string, or a string that is
	// longer than MaxTopic or has control characters. OddTopic is then its JSON text, which
	// the reply repeats.
	Topic    string
	OddTopic string
	// Event is empty if the client sent something other than a string, or a string that is
	// longer than MaxEvent or has control characters.
	Event   string
	Payload Payload
}

// A Reply is the server's answer to one message. Its event is phx_reply.
type Reply struct {
	JoinRef  Ref
	Ref      Ref
	Topic    string
	OddTopic string // if not empty, the JSON text to write in place of Topic
	Status   string // "ok", "error", or one of the application's own
	Response Payload
}

// A Push is a message from a channel to its client. Ref is null, except in phx_close and
// phx_error, where it is the JoinRef.
type Push struct {
	JoinRef Ref
	Ref     Ref
	Topic   string
	Event   string
	Payload Payload
}

// A Broadcast is a message to all subscribers of a topic. Ref is null, unless the topic has a
// history: then it is the position of the message in it, for clients that asked for positions.
// Binary frames have no ref.
type Broadcast struct {
	Ref     Ref
	Topic   string
	Event   string
	Payload Payload
}
