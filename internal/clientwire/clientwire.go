// Package clientwire is the client's end of package wire: it writes the messages that a
// serializer of the server reads, and reads those that it writes.
package clientwire

import (
	"bytes"
	"errors"
	"math"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/binframe"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// A Serializer is the client's end of one version of the protocol.
type Serializer interface {
	// Append appends a message for the server, as a wire.Serializer does.
	Append(dst []byte, m *wire.Message) (wire.Opcode, []byte, error)
	// Decode reads one message from the server, and keeps data. The error wraps
	// wire.ErrMalformed.
	Decode(op wire.Opcode, data []byte) (Incoming, error)
}

// Incoming is one message from a server.
type Incoming struct {
	wire.Message
	// Status is that of a phx_reply, and empty for other events.
	Status string
	// Response is that of a phx_reply. In a binary frame it is the payload; the payload of
	// a text frame is the object around it.
	Response wire.Payload
}

// anyTokens leaves the number of tokens unbounded: a server's lists of presences may be long,
// and scanning takes no memory for them.
const anyTokens = math.MaxInt

// A server's text frames have the form of a client's.
var (
	decodeV1 = wire.V1(&wire.Options{MaxTokens: anyTokens})
	decodeV2 = wire.V2(&wire.Options{MaxTokens: anyTokens})
)

var errNotReply = errors.New("reply without a status")

func malformed(at int, reason error) error { return &jsontext.Error{Offset: at, Err: reason} }

// V1 is version 1.
type V1 struct{}

// Append appends an object with topic, event, payload, ref and join_ref. For a binary payload
// the error is wire.ErrNoBinary.
func (V1) Append(dst []byte, m *wire.Message) (wire.Opcode, []byte, error) {
	if m.Payload.Binary {
		return 0, nil, wire.ErrNoBinary
	}
	dst = jsontext.AppendString(append(dst, `{"topic":`...), m.Topic)
	dst = jsontext.AppendString(append(dst, `,"event":`...), m.Event)
	dst = appendJSON(append(dst, `,"payload":`...), m.Payload.Data)
	dst = m.Ref.Append(append(dst, `,"ref":`...))
	dst = m.JoinRef.Append(append(dst, `,"join_ref":`...))
	return wire.Text, append(dst, '}'), nil
}

// Decode implements Serializer.
func (V1) Decode(op wire.Opcode, data []byte) (Incoming, error) {
	return text(decodeV1.Decode(op, data))
}

// V2 is version 2.
type V2 struct{}

// Append appends an array, or for a binary payload a binary push, in which a null ref becomes
// an empty one. The error of a binary push says which field is too long.
func (V2) Append(dst []byte, m *wire.Message) (wire.Opcode, []byte, error) {
	if !m.Payload.Binary {
		dst = append(m.JoinRef.Append(append(dst, '[')), ',')
		dst = append(m.Ref.Append(dst), ',')
		dst = append(jsontext.AppendString(dst, m.Topic), ',')
		dst = append(jsontext.AppendString(dst, m.Event), ',')
		return wire.Text, append(appendJSON(dst, m.Payload.Data), ']'), nil
	}
	dst, err := binframe.Append(dst, binframe.Push, m.Payload.Data,
		binframe.Field{Name: "join_ref", Text: m.JoinRef.Text()},
		binframe.Field{Name: "ref", Text: m.Ref.Text()},
		binframe.Field{Name: "topic", Text: m.Topic},
		binframe.Field{Name: "event", Text: m.Event})
	if err != nil {
		return 0, nil, err
	}
	return wire.Binary, dst, nil
}

// Decode reads a text frame, or a binary push, reply or broadcast, in which an empty ref is
// null, or the kind of binary frame that only Supabase's servers send.
func (V2) Decode(op wire.Opcode, data []byte) (Incoming, error) {
	if op == wire.Binary {
		return decodeBinary(data)
	}
	return text(decodeV2.Decode(op, data))
}

// appendJSON appends a payload that is JSON. None is the empty object.
func appendJSON(dst, data []byte) []byte {
	if len(data) == 0 {
		return append(dst, "{}"...)
	}
	return append(dst, data...)
}

// text looks into the payload of a reply, which is valid JSON.
func text(m wire.Message, err error) (Incoming, error) {
	if err != nil {
		return Incoming{}, err
	}
	in := Incoming{Message: m}
	if m.Event != protocol.EventReply {
		return in, nil
	}
	data := m.Payload.Data
	if data[0] != '{' {
		return Incoming{}, malformed(0, errNotReply)
	}
	s := jsontext.Scanner{Data: data, MaxTokens: anyTokens}
	var status []byte
	for i := s.Space(1); data[i] != '}'; {
		colon, err := s.Name(i)
		if err != nil {
			return Incoming{}, err
		}
		value, err := s.Colon(colon)
		if err != nil {
			return Incoming{}, err
		}
		to, err := s.Value(value, 1)
		if err != nil {
			return Incoming{}, err
		}
		switch key := data[i+1 : colon-1]; {
		case bytes.Equal(key, []byte("status")):
			status = data[value:to]
		case bytes.Equal(key, []byte("response")):
			in.Response.Data = data[value:to:to]
		}
		if i = s.Space(to); data[i] == ',' {
			i = s.Space(i + 1)
		}
	}
	if len(status) == 0 || status[0] != '"' {
		return Incoming{}, malformed(0, errNotReply)
	}
	in.Status = string(jsontext.AppendUnquoted(nil, status[1:len(status)-1]))
	return in, nil
}

// decodeBinary reads a binary frame.
func decodeBinary(data []byte) (Incoming, error) {
	if len(data) == 0 {
		return Incoming{}, malformed(0, binframe.ErrShort)
	}
	var (
		all    [4][]byte // join_ref, ref, topic, event or status
		fields [][]byte  // those that the kind has
	)
	switch data[0] {
	case userBroadcast:
		return decodeUserBroadcast(data)
	case binframe.Push:
		fields = all[1:] // the server's has no ref: it is moved below
	case binframe.Reply:
		fields = all[:]
	case binframe.Broadcast:
		fields = all[2:]
	default:
		return Incoming{}, malformed(0, binframe.ErrKind)
	}
	payload, ok := binframe.Split(data, fields)
	if !ok {
		return Incoming{}, malformed(len(data), binframe.ErrShort)
	}
	for i, f := range fields {
		if !utf8.Valid(f) {
			return Incoming{}, malformed(binframe.Offset(data, len(fields), i), jsontext.ErrUTF8)
		}
	}
	if data[0] == binframe.Push {
		all[0], all[1] = all[1], nil
	}
	in := Incoming{Message: wire.Message{
		JoinRef: ref(all[0]), Ref: ref(all[1]), Payload: wire.Payload{Data: payload, Binary: true},
	}}
	setTopic(&in.Message, all[2])
	switch name := all[3]; {
	case data[0] == binframe.Reply:
		in.Event, in.Status, in.Response = protocol.EventReply, string(name), in.Payload
	case fits(name, wire.MaxEvent):
		in.Event = string(name)
	}
	return in, nil
}

// ref is the Ref of a field.
func ref(field []byte) wire.Ref {
	if len(field) == 0 {
		return ""
	}
	return wire.Ref(jsontext.AppendQuoted(nil, field))
}

func setTopic(m *wire.Message, topic []byte) {
	if fits(topic, wire.MaxTopic) {
		m.Topic = string(topic)
	} else {
		m.OddTopic = string(jsontext.AppendQuoted(nil, topic))
	}
}

// fits reports whether a topic or event that is UTF-8 is in bounds.
func fits(name []byte, most int) bool {
	return len(name) <= most && !bytes.ContainsFunc(name, func(r rune) bool { return r < ' ' })
}
