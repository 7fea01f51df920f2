package wire

import "cmp"

// V2 is version 2 of the protocol: arrays of five elements in text frames, and
// binary frames for payloads that are bytes. Messages of both forms may mix on
// one connection. V2 is the [Serializer] for vsn 2.0.x.
type V2 struct {
	// MaxTokens bounds the values and keys of one message from a client. 0 means the
	// constant MaxTokens.
	MaxTokens int
}

var _ Serializer = V2{}

// Decode reads [join_ref,ref,topic,event,payload] from a text frame, where
// further elements are ignored, or a binary push from a binary frame. The error
// is a [*DecodeError].
func (v V2) Decode(op Opcode, data []byte) (Message, error) {
	switch op {
	case Text:
		s := scanner{data: data, maxTokens: cmp.Or(v.MaxTokens, MaxTokens), lenient: true}
		m, err := decodeArray(&s)
		return m, s.first(err)
	case Binary:
		return decodeBinary(data)
	}
	return Message{}, &DecodeError{Err: errOpcode}
}

// AppendReply appends a phx_reply: a binary frame when the response is binary,
// else text. The error is a [*FieldTooLongError], and of binary frames only.
func (V2) AppendReply(dst []byte, r *Reply) (Opcode, []byte, error) {
	if r.Response.Binary {
		return appendBinaryReply(dst, r)
	}
	dst = append(dst, '[')
	dst = append(r.JoinRef.Append(dst), ',')
	dst = append(r.Ref.Append(dst), ',')
	dst = appendTopic(dst, r)
	dst = append(dst, `,"`+EventReply+`",`...)
	dst = appendReplyPayload(dst, r)
	return Text, append(dst, ']'), nil
}

// AppendPush appends a push: a binary frame, which has no ref, when the payload
// is binary, else text. The error is as of AppendReply.
func (V2) AppendPush(dst []byte, p *Push) (Opcode, []byte, error) {
	if p.Payload.Binary {
		return appendBinaryPush(dst, p)
	}
	dst = append(dst, '[')
	dst = append(p.JoinRef.Append(dst), ',')
	dst = append(p.Ref.Append(dst), ',')
	return Text, appendRest(dst, p.Topic, p.Event, &p.Payload), nil
}

// AppendBroadcast appends a broadcast: a binary frame when the payload is binary,
// else text with both refs null. The error is as of AppendReply.
func (V2) AppendBroadcast(dst []byte, b *Broadcast) (Opcode, []byte, error) {
	if b.Payload.Binary {
		return appendBinaryBroadcast(dst, b)
	}
	dst = append(dst, `[null,null,`...)
	return Text, appendRest(dst, b.Topic, b.Event, &b.Payload), nil
}

// appendRest appends what follows the refs of a push or broadcast.
func appendRest(dst []byte, topic, event string, p *Payload) []byte {
	dst = append(AppendString(dst, topic), ',')
	dst = append(AppendString(dst, event), ',')
	return append(appendPayload(dst, p), ']')
}

// decodeArray reads the text form.
func decodeArray(s *scanner) (Message, error) {
	data := s.data
	s.tokens = 1 // the array itself
	i := s.space(0)
	if i >= len(data) {
		return Message{}, s.unexpected(i)
	}
	if data[i] != '[' {
		return Message{}, s.fail(i, errNotArray)
	}
	var elements [5]span
	i = s.space(i + 1)
	for n := 0; ; n++ {
		if n == 0 && i < len(data) && data[i] == ']' {
			return Message{}, s.fail(i, errTooFew)
		}
		to, err := s.value(i, 1)
		if err != nil {
			return Message{}, err
		}
		if n < len(elements) {
			elements[n] = span{i, to}
		}
		if i = s.space(to); i >= len(data) {
			return Message{}, s.unexpected(i)
		}
		if data[i] == ',' {
			i = s.space(i + 1)
			continue
		}
		if data[i] != ']' {
			return Message{}, s.unexpected(i)
		}
		if n+1 < len(elements) {
			return Message{}, s.fail(i, errTooFew)
		}
		break
	}
	if err := s.end(i + 1); err != nil {
		return Message{}, err
	}
	e := envelope{elements[0], elements[1], elements[2], elements[3], elements[4]}
	return e.message(s)
}
