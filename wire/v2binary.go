package wire

import (
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/binframe"
	"github.com/bennu-go/bennu/internal/jsontext"
)

// decodeBinary reads a binary push, the only kind that clients send, into m, which is zero. Its
// refs are strings, whatever they look like, and one without bytes is "", not null.
func decodeBinary(data []byte, m *Message) error {
	if len(data) == 0 {
		return malformed(0, binframe.ErrShort)
	}
	if data[0] != binframe.Push {
		return malformed(0, binframe.ErrKind)
	}
	var part [4][]byte // join_ref, ref, topic, event
	payload, ok := binframe.Split(data, part[:])
	if !ok {
		return malformed(len(data), binframe.ErrShort)
	}
	var fault error
	for n := range part {
		if utf8.Valid(part[n]) {
			continue
		}
		fault = malformed(binframe.Offset(data, len(part), n), jsontext.ErrUTF8)
		if n == 2 { // a topic that is no text: there is nobody to tell
			return fault
		}
		part[n] = nil
	}

	// As JSON, two refs of full length fit here unless they need many escapes.
	var scratch [2 * (binframe.MaxField + 2)]byte
	refs := jsontext.AppendQuoted(scratch[:0], part[0])
	cut := len(refs)
	refs = jsontext.AppendQuoted(refs, part[1])

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
		m.OddTopic = string(jsontext.AppendQuoted(nil, part[2]))
	}
	if nameFits(part[3], MaxEvent) {
		f.event = part[3]
	}
	f.pack(m)
	if fault != nil && m.Topic == "" && m.OddTopic == "" {
		m.OddTopic = `""`
	}
	if fault == nil {
		m.Payload = Payload{Data: payload, Binary: true}
	}
	return fault
}

// appendBinary appends a binary frame.
func appendBinary(dst []byte, kind byte, payload []byte, fields ...binframe.Field) (Opcode, []byte, error) {
	dst, err := binframe.Append(dst, kind, payload, fields...)
	if err != nil {
		return 0, nil, err
	}
	return Binary, dst, nil
}

func appendBinaryReply(dst []byte, r *Reply) (Opcode, []byte, error) {
	topic := r.Topic
	if r.OddTopic != "" {
		topic = Ref(r.OddTopic).Text()
	}
	return appendBinary(dst, binframe.Reply, r.Response.Data,
		binframe.Field{Name: "join_ref", Text: r.JoinRef.Text()},
		binframe.Field{Name: "ref", Text: r.Ref.Text()},
		binframe.Field{Name: "topic", Text: topic},
		binframe.Field{Name: "status", Text: r.Status})
}

func appendBinaryPush(dst []byte, p *Push) (Opcode, []byte, error) {
	return appendBinary(dst, binframe.Push, p.Payload.Data,
		binframe.Field{Name: "join_ref", Text: p.JoinRef.Text()},
		binframe.Field{Name: "topic", Text: p.Topic},
		binframe.Field{Name: "event", Text: p.Event})
}

func appendBinaryBroadcast(dst []byte, b *Broadcast) (Opcode, []byte, error) {
	return appendBinary(dst, binframe.Broadcast, b.Payload.Data,
		binframe.Field{Name: "topic", Text: b.Topic},
		binframe.Field{Name: "event", Text: b.Event})
}
