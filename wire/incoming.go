package wire

import (
	"bytes"
	"math"
	"unicode/utf8"
)

// Incoming is one message from a server, as its client reads it.
type Incoming struct {
	Message
	// Status is that of a phx_reply, and empty for other events.
	Status string
	// Response is that of a phx_reply. In a binary frame it is the payload itself; of
	// a text frame the payload is the object around it.
	Response Payload
}

// A ClientSerializer is the client's end of a [Serializer]. What is said there
// holds here too.
type ClientSerializer interface {
	// AppendMessage appends a message for the server.
	AppendMessage(dst []byte, m *Message) (Opcode, []byte, error)
	// DecodeIncoming reads one message from the server, and keeps data.
	DecodeIncoming(op Opcode, data []byte) (Incoming, error)
}

var (
	_ ClientSerializer = V1{}
	_ ClientSerializer = V2{}
)

// incomingTokens is for the text of a server, whose lists of presences may have any
// number of values and keys. Scanning takes no memory for them.
const incomingTokens = math.MaxInt

// AppendMessage appends an object with topic, event, payload, ref and join_ref. A
// binary payload is [ErrNoBinary].
func (V1) AppendMessage(dst []byte, m *Message) (Opcode, []byte, error) {
	op, dst, err := appendObject(dst, m.Topic, m.Event, &m.Payload, m.Ref)
	if err != nil {
		return 0, nil, err
	}
	dst = append(dst[:len(dst)-1], `,"join_ref":`...)
	return op, append(m.JoinRef.Append(dst), '}'), nil
}

// DecodeIncoming reads what [V1.Decode] does, with any number of tokens. A
// phx_reply must have an object as payload, with a string as status. The error is a
// [*DecodeError].
func (V1) DecodeIncoming(_ Opcode, data []byte) (Incoming, error) {
	m, err := decodeObject(&scanner{data: data, maxTokens: incomingTokens})
	if err != nil {
		return Incoming{}, err
	}
	return incomingText(m)
}

// AppendMessage appends an array in a text frame, or for a binary payload a binary
// push, in which a null ref becomes an empty one. The error is a
// [*FieldTooLongError], and of binary frames only.
func (V2) AppendMessage(dst []byte, m *Message) (Opcode, []byte, error) {
	if m.Payload.Binary {
		return appendBinary(dst, kindPush, m.Payload.Data,
			field{"join_ref", m.JoinRef.Text()},
			field{"ref", m.Ref.Text()},
			field{"topic", m.Topic},
			field{"event", m.Event})
	}
	return V2{}.AppendPush(dst, &Push{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, Event: m.Event, Payload: m.Payload})
}

// DecodeIncoming reads what [V2.Decode] does from a text frame, with any number of
// tokens, and a binary push, reply or broadcast from a binary frame, where an
// empty ref is null. A fourth kind of binary frame, which Supabase's servers send,
// becomes the event broadcast with an object as payload. A phx_reply in a text frame must have an object as payload,
// with a string as status. The error is a [*DecodeError].
func (V2) DecodeIncoming(op Opcode, data []byte) (Incoming, error) {
	switch op {
	case Text:
		m, err := decodeArray(&scanner{data: data, maxTokens: incomingTokens})
		if err != nil {
			return Incoming{}, err
		}
		return incomingText(m)
	case Binary:
		return decodeIncomingBinary(data)
	}
	return Incoming{}, &DecodeError{Err: errOpcode}
}

// incomingText looks into the payload of a reply, which is known to be valid.
func incomingText(m Message) (Incoming, error) {
	in := Incoming{Message: m}
	if m.Event != EventReply {
		return in, nil
	}
	data := m.Payload.Data
	if data[0] != '{' {
		return Incoming{}, &DecodeError{Err: errNotReply}
	}
	s := scanner{data: data, maxTokens: incomingTokens}
	var status, response span
	for i := s.space(1); data[i] != '}'; {
		colon, err := s.name(i)
		if err != nil {
			return Incoming{}, err
		}
		value, err := s.colon(colon)
		if err != nil {
			return Incoming{}, err
		}
		to, err := s.value(value, 1)
		if err != nil {
			return Incoming{}, err
		}
		switch key := data[i+1 : colon-1]; {
		case bytes.Equal(key, []byte("status")):
			status = span{value, to}
		case bytes.Equal(key, []byte("response")):
			response = span{value, to}
		}
		if i = s.space(to); data[i] == ',' {
			i = s.space(i + 1)
		}
	}
	if status.to == 0 || data[status.from] != '"' {
		return Incoming{}, &DecodeError{Err: errNotReply}
	}
	in.Status = string(appendUnquoted(nil, data[status.from+1:status.to-1]))
	in.Response.Data = response.of(data)
	return in, nil
}

// decodeIncomingBinary reads the three kinds that a server sends: the kind, the
// lengths of its fields, the fields, and the payload as the rest.
func decodeIncomingBinary(data []byte) (Incoming, error) {
	if len(data) == 0 {
		return Incoming{}, &DecodeError{Err: errShort}
	}
	var (
		joinRef, ref, topic, name []byte
		parts                     [4]*[]byte
		n                         int
	)
	switch data[0] {
	case kindUserBroadcast:
		return decodeUserBroadcast(data)
	case kindPush:
		parts, n = [4]*[]byte{&joinRef, &topic, &name}, 3
	case kindReply:
		parts, n = [4]*[]byte{&joinRef, &ref, &topic, &name}, 4
	case kindBroadcast:
		parts, n = [4]*[]byte{&topic, &name}, 2
	default:
		return Incoming{}, &DecodeError{Err: errKind}
	}
	at := 1 + n
	if len(data) < at {
		return Incoming{}, &DecodeError{Offset: len(data), Err: errShort}
	}
	for i, part := range parts[:n] {
		to := at + int(data[1+i])
		if to > len(data) {
			return Incoming{}, &DecodeError{Offset: len(data), Err: errShort}
		}
		if *part = data[at:to]; !utf8.Valid(*part) {
			return Incoming{}, &DecodeError{Offset: at, Err: errUTF8}
		}
		at = to
	}
	payload := Payload{Data: data[at:len(data):len(data)], Binary: true}
	in := Incoming{Message: Message{Payload: payload}}
	var f fields
	if len(joinRef) > 0 {
		f.joinRef = appendQuoted(nil, joinRef)
	}
	if len(ref) > 0 {
		f.ref = appendQuoted(nil, ref)
	}
	if nameFits(topic, MaxTopic) {
		f.topic = topic
	} else {
		in.OddTopic = string(appendQuoted(nil, topic))
	}
	switch {
	case data[0] == kindReply:
		f.event = []byte(EventReply)
		in.Status, in.Response = string(name), payload
	case nameFits(name, MaxEvent):
		f.event = name
	}
	f.pack(&in.Message)
	return in, nil
}
