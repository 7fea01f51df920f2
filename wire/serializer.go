package wire

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
