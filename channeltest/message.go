package channeltest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// message is one message of version 2, from either side. A null ref is "". This package encodes and
// decodes on its own, so that its tests find a mistake in package wire.
type message struct {
	JoinRef, Ref string
	Topic, Event string
	Payload      wire.Payload // of a phx_reply: its response
	Status       string       // of a phx_reply
}

// frame is a frame of a client.
type frame struct {
	op   wire.Opcode
	data []byte
}

// The kinds of binary messages: the first byte.
const (
	binaryPush = iota
	binaryReply
	binaryBroadcast
)

// frame encodes a message of the client. In a binary frame each length has one byte, which push has
// checked for the topic and the event; refs are short.
func (m *message) frame() frame {
	if m.Payload.Binary {
		data := []byte{binaryPush, byte(len(m.JoinRef)), byte(len(m.Ref)), byte(len(m.Topic)), byte(len(m.Event))}
		data = append(data, m.JoinRef+m.Ref+m.Topic+m.Event...)
		return frame{wire.Binary, append(data, m.Payload.Data...)}
	}
	data := append(jsontext.AppendString([]byte{'['}, m.JoinRef), ',')
	data = append(jsontext.AppendString(data, m.Ref), ',')
	data = append(jsontext.AppendString(data, m.Topic), ',')
	data = append(jsontext.AppendString(data, m.Event), ',')
	return frame{wire.Text, append(append(data, m.Payload.Data...), ']')}
}

// parse reads a message of the server.
func parse(f transport.Frame) (*message, error) {
	if f.Opcode() == wire.Binary {
		return parseBinary(f.Payload())
	}
	var joinRef, ref *string
	var payload json.RawMessage
	m := &message{}
	parts := []any{&joinRef, &ref, &m.Topic, &m.Event, &payload}
	if err := json.Unmarshal(f.Payload(), &parts); err != nil {
		return nil, err
	}
	if joinRef != nil {
		m.JoinRef = *joinRef
	}
	if ref != nil {
		m.Ref = *ref
	}
	m.Payload.Data = payload
	if m.Event == protocol.EventReply {
		var reply struct {
			Status   string
			Response json.RawMessage
		}
		if err := json.Unmarshal(payload, &reply); err != nil {
			return nil, err
		}
		m.Status, m.Payload.Data = reply.Status, reply.Response
	}
	return m, nil
}

var errShort = errors.New("a binary message is cut short")

// parseBinary reads a binary message: its kind, one byte for the length of each field, the fields, and
// the payload.
func parseBinary(data []byte) (*message, error) {
	m := &message{Payload: wire.Payload{Binary: true}}
	if len(data) == 0 {
		return nil, errShort
	}
	var fields []*string
	switch data[0] {
	case binaryPush:
		fields = []*string{&m.JoinRef, &m.Topic, &m.Event}
	case binaryReply:
		m.Event = protocol.EventReply
		fields = []*string{&m.JoinRef, &m.Ref, &m.Topic, &m.Status}
	case binaryBroadcast:
		fields = []*string{&m.Topic, &m.Event}
	default:
		return nil, fmt.Errorf("a binary message is of kind %d", data[0])
	}
	at := 1 + len(fields)
	if len(data) < at {
		return nil, errShort
	}
	for i, field := range fields {
		to := at + int(data[1+i])
		if len(data) < to {
			return nil, errShort
		}
		*field = string(data[at:to])
		at = to
	}
	m.Payload.Data = data[at:]
	return m, nil
}
