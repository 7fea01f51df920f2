package wire

import (
	"bytes"
	"cmp"
)

// V1 is version 1 of the protocol: one JSON object for each message. It has no
// binary payloads, and nothing it writes carries a join_ref. V1 is the
// [Serializer] for vsn 1.0.x, and for clients that send no vsn.
type V1 struct {
	// MaxTokens bounds the values and keys of one message from a client. 0 means the
	// constant MaxTokens.
	MaxTokens int
}

var _ Serializer = V1{}

// Decode reads an object with the members topic, event, payload and ref, all of
// which must be there, and perhaps join_ref; it ignores others. The opcode is not
// looked at. The error is a [*DecodeError].
func (v V1) Decode(_ Opcode, data []byte) (Message, error) {
	s := scanner{data: data, maxTokens: cmp.Or(v.MaxTokens, MaxTokens), lenient: true}
	m, err := decodeObject(&s)
	return m, s.first(err)
}

// decodeObject reads the object.
func decodeObject(s *scanner) (Message, error) {
	data := s.data
	s.tokens = 1 // the object itself
	i := s.space(0)
	if i >= len(data) {
		return Message{}, s.unexpected(i)
	}
	if data[i] != '{' {
		return Message{}, s.fail(i, errNotObject)
	}
	var (
		e    envelope
		skip span
	)
	i = s.space(i + 1)
	for first := true; ; first = false {
		if first && i < len(data) && data[i] == '}' {
			break
		}
		colon, err := s.name(i)
		if err != nil {
			return Message{}, err
		}
		part := e.part(data[i+1 : colon-1])
		if part == nil {
			part = &skip
		}
		if part.from, err = s.colon(colon); err != nil {
			return Message{}, err
		}
		if part.to, err = s.value(part.from, 1); err != nil {
			return Message{}, err
		}
		if i = s.space(part.to); i >= len(data) {
			return Message{}, s.unexpected(i)
		}
		if data[i] == '}' {
			break
		}
		if data[i] != ',' {
			return Message{}, s.unexpected(i)
		}
		i = s.space(i + 1)
	}
	if err := s.end(i + 1); err != nil {
		return Message{}, err
	}
	if e.topic.to == 0 || e.event.to == 0 || e.payload.to == 0 || e.ref.to == 0 {
		return Message{}, s.fail(i, errNoKey)
	}
	return e.message(s)
}

// part is where the member with this key goes, nil for one without a meaning. The
// key may have escapes.
func (e *envelope) part(key []byte) *span {
	const longest = len("join_ref")
	if bytes.IndexByte(key, '\\') >= 0 {
		if len(key) > 6*longest {
			return nil
		}
		var scratch [6 * longest]byte
		key = appendUnquoted(scratch[:0], key)
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

// AppendReply appends a phx_reply. A binary response is [ErrNoBinary].
func (V1) AppendReply(dst []byte, r *Reply) (Opcode, []byte, error) {
	if r.Response.Binary {
		return 0, nil, ErrNoBinary
	}
	dst = append(dst, `{"topic":`...)
	dst = appendTopic(dst, r)
	dst = append(dst, `,"event":"`+EventReply+`","payload":`...)
	dst = appendReplyPayload(dst, r)
	return Text, appendObjectRef(dst, r.Ref), nil
}

// AppendPush appends a push. A binary payload is [ErrNoBinary].
func (V1) AppendPush(dst []byte, p *Push) (Opcode, []byte, error) {
	return appendObject(dst, p.Topic, p.Event, &p.Payload, p.Ref)
}

// AppendBroadcast appends a broadcast, with null as ref. A binary payload is
// [ErrNoBinary].
func (V1) AppendBroadcast(dst []byte, b *Broadcast) (Opcode, []byte, error) {
	return appendObject(dst, b.Topic, b.Event, &b.Payload, "")
}

func appendObject(dst []byte, topic, event string, p *Payload, ref Ref) (Opcode, []byte, error) {
	if p.Binary {
		return 0, nil, ErrNoBinary
	}
	dst = append(dst, `{"topic":`...)
	dst = AppendString(dst, topic)
	dst = append(dst, `,"event":`...)
	dst = AppendString(dst, event)
	dst = append(dst, `,"payload":`...)
	dst = appendPayload(dst, p)
	return Text, appendObjectRef(dst, ref), nil
}

func appendObjectRef(dst []byte, ref Ref) []byte {
	dst = append(dst, `,"ref":`...)
	return append(ref.Append(dst), '}')
}
