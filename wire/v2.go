package wire

import (
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/protocol"
)

// V2 returns version 2 of the protocol, for vsn 2.0.x: an array of five elements in a text frame,
// or a binary frame if the payload is binary. A connection may use both. The options may be nil.
//
// Decode decodes [join_ref,ref,topic,event,payload] from a text frame, in which further elements
// are ignored, or a binary push from a binary frame. The Append methods fail for a binary payload
// alone: the error says which field is longer than the 255 bytes that fit. A push in a binary frame
// has no ref.
func V2(o *Options) Serializer { return v2{o.bound()} }

// v2 is the serializer of V2.
type v2 struct{ tokenBound }

func (v v2) Decode(op Opcode, data []byte) (m Message, err error) {
	switch op {
	case Text:
		s := v.scanner(data)
		err = s.First(decodeArray(&s, &m))
	case Binary:
		err = decodeBinary(data, &m)
	default:
		err = malformed(0, errOpcode)
	}
	return m, err
}

func (v2) AppendReply(dst []byte, r *Reply) (Opcode, []byte, error) {
	if r.Response.Binary {
		return appendBinaryReply(dst, r)
	}
	dst = append(dst, '[')
	dst = append(r.JoinRef.Append(dst), ',')
	dst = append(r.Ref.Append(dst), ',')
	dst = appendTopic(dst, r)
	dst = append(dst, `,"`+protocol.EventReply+`",`...)
	dst = appendReplyPayload(dst, r)
	return Text, append(dst, ']'), nil
}

func (v2) AppendPush(dst []byte, p *Push) (Opcode, []byte, error) {
	if p.Payload.Binary {
		return appendBinaryPush(dst, p)
	}
	dst = append(dst, '[')
	dst = append(p.JoinRef.Append(dst), ',')
	dst = append(p.Ref.Append(dst), ',')
	return Text, appendRest(dst, p.Topic, p.Event, &p.Payload), nil
}

func (v2) AppendBroadcast(dst []byte, b *Broadcast) (Opcode, []byte, error) {
	if b.Payload.Binary {
		return appendBinaryBroadcast(dst, b)
	}
	dst = append(dst, `[null,`...)
	dst = append(b.Ref.Append(dst), ',')
	return Text, appendRest(dst, b.Topic, b.Event, &b.Payload), nil
}

// appendRest appends the topic, event and payload of a push or broadcast.
func appendRest(dst []byte, topic, event string, p *Payload) []byte {
	dst = append(jsontext.AppendString(dst, topic), ',')
	dst = append(jsontext.AppendString(dst, event), ',')
	return append(appendPayload(dst, p), ']')
}

// decodeArray reads a text frame.
func decodeArray(s *jsontext.Scanner, m *Message) error {
	data := s.Data
	s.Tokens = 1 // the array itself
	i := s.Space(0)
	if i >= len(data) {
		return s.Unexpected(i)
	}
	if data[i] != '[' {
		return s.Fail(i, errNotArray)
	}
	var elements [5]span
	i = s.Space(i + 1)
	for n := 0; ; n++ {
		if n == 0 && i < len(data) && data[i] == ']' {
			return s.Fail(i, errTooFew)
		}
		to, err := s.Value(i, 1)
		if err != nil {
			return err
		}
		if n < len(elements) {
			elements[n] = span{i, to}
		}
		if i = s.Space(to); i >= len(data) {
			return s.Unexpected(i)
		}
		if data[i] == ',' {
			i = s.Space(i + 1)
			continue
		}
		if data[i] != ']' {
			return s.Unexpected(i)
		}
		if n+1 < len(elements) {
			return s.Fail(i, errTooFew)
		}
		break
	}
	if err := s.End(i + 1); err != nil {
		return err
	}
	e := envelope{elements[0], elements[1], elements[2], elements[3], elements[4]}
	return e.message(s, m)
}
