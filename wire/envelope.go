package wire

import (
	"bytes"
	"math"

	"github.com/bennu-go/bennu/internal/jsontext"
)

// span is a part of a frame. An empty one stands for a field that is missing.
type span struct{ from, to int }

func (p span) of(data []byte) []byte { return data[p.from:p.to:p.to] }

// envelope says where in a text frame the fields of its message are. Each is a valid JSON
// value.
type envelope struct {
	joinRef, ref, topic, event, payload span
}

// message fills m, which is zero, from an envelope that s has scanned. A message with a fault has
// no payload.
func (e *envelope) message(s *jsontext.Scanner, m *Message) error {
	if s.Unwelcome != nil {
		*m = e.unwelcome(s.Data)
		return s.Unwelcome
	}
	var (
		f      fields
		ok     = true
		data   = s.Data
		tooBig error
	)
	if e.joinRef.to > 0 {
		if f.joinRef, ok = refText(e.joinRef.of(data)); !ok {
			f.joinRef, tooBig = nil, malformed(e.joinRef.from, errRefTooLong)
		}
	}
	if f.ref, ok = refText(e.ref.of(data)); !ok {
		f.ref, tooBig = nil, malformed(e.ref.from, errRefTooLong)
	}
	if f.topic, ok = nameText(e.topic.of(data), MaxTopic); !ok {
		m.OddTopic = string(jsontext.CompactValid(e.topic.of(data)))
	}
	f.event, _ = nameText(e.event.of(data), MaxEvent)
	f.pack(m)
	if tooBig == nil {
		m.Payload.Data = e.payload.of(data)
	} else if m.Topic == "" && m.OddTopic == "" {
		m.OddTopic = `""`
	}
	return tooBig
}

// unwelcome makes a Message for the error reply to a message with text that is not accepted. A ref or
// topic with that text is kept as it came, so that the reply repeats it.
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

// faultless reports whether a value is accepted, with any number of tokens.
func faultless(raw []byte) bool {
	s := jsontext.Scanner{Data: raw, MaxTokens: math.MaxInt}
	return s.Whole() == nil
}

// nameText returns the topic or event in raw, or false if it is not a string or is out of bounds. The
// result may alias raw.
func nameText(raw []byte, most int) ([]byte, bool) {
	if raw[0] != '"' || len(raw) > 6*most+2 {
		return nil, false
	}
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = jsontext.AppendUnquoted(make([]byte, 0, len(name)), name)
	}
	if !nameFits(name, most) {
		return nil, false
	}
	return name, true
}

// nameFits reports whether a topic or event, which must be valid UTF-8, is in bounds.
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

// fields are the parts of a frame that a Message keeps, before pack copies them.
type fields struct {
	joinRef, ref, topic, event []byte
}

// pack copies the fields into m as parts of one string, with one allocation instead of four. Large
// fields are copied one by one, so that a program that keeps a topic does not keep a long ref with it.
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
	return jsontext.AppendString(dst, r.Topic)
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
	dst = jsontext.AppendString(dst, r.Status)
	return append(dst, '}')
}
