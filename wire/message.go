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

// A Broadcast is a message to all subscribers of a topic.
type Broadcast struct {
	Topic   string
	Event   string
	Payload Payload
}

// A Serializer encodes and decodes the messages of one version of the protocol. It does no I/O
// and keeps no state: one value serves all connections, and its methods are called from many
// goroutines. Serializers are compared with ==, so use a pointer or a comparable struct.
//
// The Append methods add a message to dst, which may be nil, and return the extended slice with
// the opcode to send it under. On error dst must not be used.
type Serializer interface {
	// Decode decodes one message. It must check every length, depth and count before it
	// allocates memory for it. It owns data, and Payload.Data may be a part of data. A payload
	// that is not Binary must be one valid JSON value, since it is not checked again.
	//
	// If Decode returns an error with a Message that has a Topic or an OddTopic, the client
	// gets an error reply and the connection goes on. For any other error the connection is
	// closed.
	Decode(op Opcode, data []byte) (Message, error)
	AppendReply(dst []byte, r *Reply) (Opcode, []byte, error)
	AppendPush(dst []byte, p *Push) (Opcode, []byte, error)
	AppendBroadcast(dst []byte, b *Broadcast) (Opcode, []byte, error)
}

// A Versioned is a serializer with the versions of the protocol that it is for, which a client sends as
// the parameter vsn. Requirement has one of two forms:
//
//	~> 2.0.1    at least 2.0.1, below 2.1
//	~> 2.1      at least 2.1.0, below 3
//
// Versions are compared as by Elixir's Version.match?. A pre-release comes before its version:
// 2.0.1-rc.1 meets ~> 2.0.0 but not ~> 2.0.1, and 2.1.0-rc.1 does not meet ~> 2.0.1. Build metadata
// (+build) is ignored.
type Versioned struct {
	Requirement string
	Serializer  Serializer
}

// Defaults returns the serializers that a server has unless it is given others: [V1] for
// "~> 1.0.0" and [V2] for "~> 2.0.0". Append to it to add one.
func Defaults() []Versioned {
	return []Versioned{
		{"~> 1.0.0", V1(nil)},
		{"~> 2.0.0", V2(nil)},
	}
}
