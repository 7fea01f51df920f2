package wire

import (
	"bytes"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/protocol"
)

// V1 returns version 1 of the protocol, for vsn 1.0.x and for clients that send no vsn: each
// message is a JSON object in a text frame. It has no binary payloads, and messages of the server
// have no join_ref. The options may be nil.
//
// Decode decodes an object. It must have the members topic, event, payload and ref, and may have
// join_ref. Other members are ignored, and so is the opcode. For a binary payload the error of the
// Append methods is [ErrNoBinary].
func V1(o *Options) Serializer { return v1{o.bound()} }

// v1 is the serializer of V1.
type v1 struct{ tokenBound }

func (v v1) Decode(_ Opcode, data []byte) (m Message, err error) {
	s := v.scanner(data)
	err = s.First(decodeObject(&s, &m))
	return m, err
}

// decodeObject reads the object into m. A Message is large enough that returning it through
// several calls shows in benchmarks.
func decodeObject(s *jsontext.Scanner, m *Message) error {
	data := s.Data
	s.Tokens = 1 // the object itself
	i := s.Space(0)
	if i >= len(data) {
		return s.Unexpected(i)
	}
	if data[i] != '{' {
		return s.Fail(i, errNotObject)
	}
	var (
		e    envelope
		skip span
	)
	i = s.Space(i + 1)
	for first := true; ; first = false {
		if first && i < len(data) && data[i] == '}' {
			break
		}
		colon, err := s.Name(i)
		if err != nil {
			return err
		}
		part := e.part(data[i+1 : colon-1])
		if part == nil {
			part = &skip
		}
		if part.from, err = s.Colon(colon); err != nil {
			return err
		}
		if part.to, err = s.Value(part.from, 1); err != nil {
			return err
		}
		if i = s.Space(part.to); i >= len(data) {
			return s.Unexpected(i)
		}
		if data[i] == '}' {
			break
		}
		if data[i] != ',' {
			return s.Unexpected(i)
		}
		i = s.Space(i + 1)
	}
	if err := s.End(i + 1); err != nil {
		return err
	}
	if e.topic.to == 0 || e.event.to == 0 || e.payload.to == 0 || e.ref.to == 0 {
		return s.Fail(i, errNoKey)
	}
	return e.message(s, m)
}

// part returns the span for the member with a key, or nil for a key that is ignored. The key may have
// escapes.
func (e *envelope) part(key []byte) *span {
	const longest = len("join_ref")
	if bytes.IndexByte(key, '\\') >= 0 {
		if len(key) > 6*longest {
			return nil
		}
		var scratch [6 * longest]byte
		key = jsontext.AppendUnquoted(scratch[:0], key)
	}
	switch string(key) {
	case "join_ref":
		return &e.joinRef
	case "ref":
		return &e.ref
	case "topic":
		return &e.topic
	case "event":
		return &e.event
	case "payload":
		return &e.payload
	}
	return nil
}

func (v1) AppendReply(dst []byte, r *Reply) (Opcode, []byte, error) {
	if r.Response.Binary {
		return 0, nil, ErrNoBinary
	}
	dst = append(dst, `{"topic":`...)
	dst = appendTopic(dst, r)
	dst = append(dst, `,"event":"`+protocol.EventReply+`","payload":`...)
	dst = appendReplyPayload(dst, r)
	return Text, appendObjectRef(dst, r.Ref), nil
}

func (v1) AppendPush(dst []byte, p *Push) (Opcode, []byte, error) {
	return appendObject(dst, p.Topic, p.Event, &p.Payload, p.Ref)
}

func (v1) AppendBroadcast(dst []byte, b *Broadcast) (Opcode, []byte, error) {
	return appendObject(dst, b.Topic, b.Event, &b.Payload, b.Ref)
}

func appendObject(dst []byte, topic, event string, p *Payload, ref Ref) (Opcode, []byte, error) {
	if p.Binary {
		return 0, nil, ErrNoBinary
	}
	dst = append(dst, `{"topic":`...)
	dst = jsontext.AppendString(dst, topic)
	dst = append(dst, `,"event":`...)
	dst = jsontext.AppendString(dst, event)
	dst = append(dst, `,"payload":`...)
	dst = appendPayload(dst, p)
	return Text, appendObjectRef(dst, ref), nil
}

func appendObjectRef(dst []byte, ref Ref) []byte {
	dst = append(dst, `,"ref":`...)
	return append(ref.Append(dst), '}')
}
