package wire

import (
	"bytes"
	"math"
)

// span is a part of a frame; the empty one is a field that is not there.
type span struct{ from, to int }

func (p span) of(data []byte) []byte { return data[p.from:p.to:p.to] }

// envelope tells where in a frame of JSON text the fields of its message stand,
// each a valid value.
type envelope struct {
	joinRef, ref, topic, event, payload span
}

// message makes a Message of the parts of what s has scanned. One with a fault has no payload.
func (e *envelope) message(s *scanner) (Message, error) {
	if s.unwelcome != nil {
		return e.unwelcome(s.data), s.unwelcome
	}
	var (
		f      fields
		m      Message
		ok     = true
		data   = s.data
		tooBig error
	)
	if e.joinRef.to > 0 {
		if f.joinRef, ok = refText(e.joinRef.of(data)); !ok {
			f.joinRef, tooBig = nil, &DecodeError{Offset: e.joinRef.from, Err: ErrRefTooLong}
		}
	}
	if f.ref, ok = refText(e.ref.of(data)); !ok {
		f.ref, tooBig = nil, &DecodeError{Offset: e.ref.from, Err: ErrRefTooLong}
	}
	if f.topic, ok = nameText(e.topic.of(data), MaxTopic); !ok {
		m.OddTopic = string(compactText(e.topic.of(data)))
	}
	f.event, _ = nameText(e.event.of(data), MaxEvent)
	f.pack(&m)
	if tooBig == nil {
		m.Payload.Data = e.payload.of(data)
	} else if m.Topic == "" && m.OddTopic == "" {
		m.OddTopic = `""`
	}
	return m, tooBig
}

// unwelcome is what can be said of a message with text that is not accepted. A ref or topic
// that has such text itself stands for nothing but itself: it is echoed as it came.
func (e *envelope) unwelcome(data []byte) (m Message) {
	var f fields
	ref := func(p span) []byte {
		raw := p.of(data)
		switch {
		case p.to == 0:
		case faultless(raw):
			text, _ := refText(raw)
			return text
		case raw[0] == '"' && len(raw) <= MaxRef+2:
			return raw
		}
		return nil
	}
	f.joinRef, f.ref = ref(e.joinRef), ref(e.ref)
	topic, event := e.topic.of(data), e.event.of(data)
	ok := faultless(topic)
	if ok {
		f.topic, ok = nameText(topic, MaxTopic)
	}
	if !ok || len(f.topic) == 0 {
		m.OddTopic = string(topic)
	}
	if faultless(event) {
		f.event, _ = nameText(event, MaxEvent)
	}
	f.pack(&m)
	return m
}

// faultless reports whether a value is accepted where it may have any number of tokens.
func faultless(raw []byte) bool {
	s := scanner{data: raw, maxTokens: math.MaxInt}
	return s.whole() == nil
}

// nameText returns the topic or event that raw stands for, or false when it is
// not a string or is out of bounds. The result may alias raw.
func nameText(raw []byte, most int) ([]byte, bool) {
	if raw[0] != '"' || len(raw) > 6*most+2 {
		return nil, false
	}
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = appendUnquoted(make([]byte, 0, len(name)), name)
	}
	if !nameFits(name, most) {
		return nil, false
	}
	return name, true
}

// nameFits reports whether a topic or event, known to be UTF-8, is in bounds.
func nameFits(name []byte, most int) bool {
	if len(name) > most {
		return false
	}
	for _, c := range name {
		if c < ' ' {
			return false
		}
	}
	return true
}

// fields has what a Message keeps of its envelope, while it is still in the
// frame or in scratch memory.
type fields struct {
	joinRef, ref, topic, event []byte
}

// pack copies the fields into m, as parts of one string: one allocation
// instead of four. Large fields are copied alone, so that whoever keeps a topic
// does not keep a long ref with it.
func (f *fields) pack(m *Message) {
	var scratch [256]byte
	if len(f.joinRef)+len(f.ref)+len(f.topic)+len(f.event) > len(scratch) {
		m.JoinRef, m.Ref = Ref(f.joinRef), Ref(f.ref)
		m.Topic, m.Event = string(f.topic), string(f.event)
		return
	}
	b := append(scratch[:0], f.joinRef...)
	b = append(b, f.ref...)
	b = append(b, f.topic...)
	b = append(b, f.event...)
	s := string(b)
	m.JoinRef, s = Ref(s[:len(f.joinRef)]), s[len(f.joinRef):]
	m.Ref, s = Ref(s[:len(f.ref)]), s[len(f.ref):]
	m.Topic, m.Event = s[:len(f.topic)], s[len(f.topic):]
}

// appendTopic appends the topic of a reply as JSON.
func appendTopic(dst []byte, r *Reply) []byte {
	if r.OddTopic != "" {
		return append(dst, r.OddTopic...)
	}
	return AppendString(dst, r.Topic)
}

// appendPayload appends a payload that is JSON.
func appendPayload(dst []byte, p *Payload) []byte {
	if len(p.Data) == 0 {
		return append(dst, "{}"...)
	}
	return append(dst, p.Data...)
}

// appendReplyPayload appends the payload of a reply, which wraps the response.
func appendReplyPayload(dst []byte, r *Reply) []byte {
	dst = append(dst, `{"response":`...)
	dst = appendPayload(dst, &r.Response)
	dst = append(dst, `,"status":`...)
	dst = AppendString(dst, r.Status)
	return append(dst, '}')
}
