package clientwire

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/binframe"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/wire"
)

// userBroadcast is the kind of a binary frame that only Supabase's servers send: a broadcast
// with an event that the user has named, metadata, and a payload of JSON or bytes.
const userBroadcast = 4

// Encodings of the payload of a user broadcast.
const (
	userBytes = 0
	userJSON  = 1
)

// decodeUserBroadcast makes of such a frame the event that Supabase's own clients make:
// "broadcast", with the payload {"type":"broadcast","event":...,"payload":...,"meta":...}. Bytes
// become base64, and meta is omitted if there is none.
func decodeUserBroadcast(data []byte) (Incoming, error) {
	const head = 5 // kind, three lengths, encoding
	if len(data) < head {
		return Incoming{}, malformed(len(data), binframe.ErrShort)
	}
	var parts [3][]byte // topic, event, metadata
	at := head
	for i := range parts {
		to := at + int(data[1+i])
		if to > len(data) {
			return Incoming{}, malformed(len(data), binframe.ErrShort)
		}
		if parts[i] = data[at:to]; !utf8.Valid(parts[i]) {
			return Incoming{}, malformed(at, jsontext.ErrUTF8)
		}
		at = to
	}
	topic, event, meta, payload := parts[0], parts[1], parts[2], data[at:]

	out := append(make([]byte, 0, 64+len(event)+len(meta)+len(payload)*4/3), `{"type":"broadcast","event":`...)
	out = append(jsontext.AppendQuoted(out, event), `,"payload":`...)
	switch data[4] {
	case userJSON:
		if err := check(payload); err != nil {
			return Incoming{}, err
		}
		out = append(out, payload...)
	case userBytes:
		out = append(out, '"')
		out = append(base64.StdEncoding.AppendEncode(out, payload), '"')
	default:
		return Incoming{}, malformed(4, binframe.ErrKind)
	}
	if len(meta) > 0 {
		if err := check(meta); err != nil {
			return Incoming{}, err
		}
		out = append(append(out, `,"meta":`...), meta...)
	}
	in := Incoming{Message: wire.Message{Event: "broadcast", Payload: wire.Payload{Data: append(out, '}')}}}
	setTopic(&in.Message, topic)
	return in, nil
}

// check is jsontext.Check with any number of tokens.
func check(data []byte) error {
	s := jsontext.Scanner{Data: data, MaxTokens: anyTokens}
	return s.Whole()
}
