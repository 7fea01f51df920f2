package wire

import (
	"unicode/utf8"
)

// The first byte of a binary message. Clients send pushes only.
const (
	kindPush      = 0
	kindReply     = 1
	kindBroadcast = 2
)

// maxField is what one length byte can tell.
const maxField = 255

// decodeBinary reads a binary push: the kind, four lengths, join_ref, ref, topic
// and event, and the payload as the rest. The refs are strings here, whatever
// they look like, and one without bytes is "", not null.
func decodeBinary(data []byte) (Message, error) {
	const head = 5
	if len(data) == 0 {
		return Message{}, &DecodeError{Err: errShort}
	}
	if data[0] != kindPush {
		return Message{}, &DecodeError{Err: errKind}
	}
	if len(data) < head {
		return Message{}, &DecodeError{Offset: len(data), Err: errShort}
	}
	var (
		part  [4][]byte
		fault error
	)
	at := head
	for n := range part {
		to := at + int(data[1+n])
		if to > len(data) {
			return Message{}, &DecodeError{Offset: len(data), Err: errShort}
		}
		part[n] = data[at:to]
		if !utf8.Valid(part[n]) {
			if n == 2 { // nobody could be told of it on a topic that has no text
				return Message{}, &DecodeError{Offset: at, Err: errUTF8}
			}
			part[n] = nil
			fault = &DecodeError{Offset: at, Err: errUTF8}
		}
		at = to
	}

	// As JSON, two refs of full length fit here unless they need many escapes.
	var scratch [2 * (maxField + 2)]byte
	refs := appendQuoted(scratch[:0], part[0])
	cut := len(refs)
	refs = appendQuoted(refs, part[1])

	var m Message
	f := fields{joinRef: refs[:cut], ref: refs[cut:]}
	if fault != nil && part[0] == nil {
		f.joinRef = nil
	}
	if fault != nil && part[1] == nil {
		f.ref = nil
	}
	if nameFits(part[2], MaxTopic) {
		f.topic = part[2]
	} else {
		m.OddTopic = string(appendQuoted(nil, part[2]))
	}
	if nameFits(part[3], MaxEvent) {
		f.event = part[3]
	}
	f.pack(&m)
	if fault != nil && m.Topic == "" && m.OddTopic == "" {
		m.OddTopic = `""`
	}
	if fault == nil {
		m.Payload = Payload{Data: data[at:len(data):len(data)], Binary: true}
	}
	return m, fault
}

// appendQuoted appends raw as a JSON string.
func appendQuoted(dst, raw []byte) []byte {
	for _, c := range raw {
		if c < ' ' || c == '"' || c == '\\' {
			return AppendString(dst, string(raw))
		}
	}
	dst = append(dst, '"')
	dst = append(dst, raw...)
	return append(dst, '"')
}

// A field of a binary message, and what it is called when it is too long.
type field struct {
	name, text string
}

// appendBinary appends a binary message.
func appendBinary(dst []byte, kind byte, payload []byte, fields ...field) (Opcode, []byte, error) {
	dst = append(dst, kind)
	for _, f := range fields {
		if len(f.text) > maxField {
			return 0, nil, &FieldTooLongError{Field: f.name, Len: len(f.text)}
		}
		dst = append(dst, byte(len(f.text)))
	}
	for _, f := range fields {
		dst = append(dst, f.text...)
	}
	return Binary, append(dst, payload...), nil
}

func appendBinaryReply(dst []byte, r *Reply) (Opcode, []byte, error) {
	topic := r.Topic
	if r.OddTopic != "" {
		topic = Ref(r.OddTopic).Text()
	}
	return appendBinary(dst, kindReply, r.Response.Data,
		field{"join_ref", r.JoinRef.Text()},
		field{"ref", r.Ref.Text()},
		field{"topic", topic},
		field{"status", r.Status})
}

func appendBinaryPush(dst []byte, p *Push) (Opcode, []byte, error) {
	return appendBinary(dst, kindPush, p.Payload.Data,
		field{"join_ref", p.JoinRef.Text()},
		field{"topic", p.Topic},
		field{"event", p.Event})
}

func appendBinaryBroadcast(dst []byte, b *Broadcast) (Opcode, []byte, error) {
	return appendBinary(dst, kindBroadcast, b.Payload.Data,
		field{"topic", b.Topic},
		field{"event", b.Event})
}
