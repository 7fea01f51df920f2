package wire

import (
	"encoding/base64"
	"unicode/utf8"
)

// kindUserBroadcast is a binary frame that only Supabase's servers send, to clients of
// version 2: a broadcast with an event of the user's, metadata, and a payload of JSON
// or bytes.
const kindUserBroadcast = 4

// Encodings of the payload of a user broadcast.
const (
	userBytes = 0
	userJSON  = 1
)

// decodeUserBroadcast makes of such a frame what Supabase's own clients do: the event
// broadcast, whose payload is {"type":"broadcast","event":...,"payload":...,"meta":...}.
// Bytes become base64, which encoding/json reads into a []byte; no metadata leaves
// meta out.
func decodeUserBroadcast(data []byte) (Incoming, error) {
	const head = 5 // kind, three lengths, encoding
	if len(data) < head {
		return Incoming{}, &DecodeError{Offset: len(data), Err: errShort}
	}
	var parts [3][]byte // topic, event, metadata
	at := head
	for i := range parts {
		to := at + int(data[1+i])
		if to > len(data) {
			return Incoming{}, &DecodeError{Offset: len(data), Err: errShort}
		}
		if parts[i] = data[at:to]; !utf8.Valid(parts[i]) {
			return Incoming{}, &DecodeError{Offset: at, Err: errUTF8}
		}
		at = to
	}
	topic, event, meta, payload := parts[0], parts[1], parts[2], data[at:]

	out := append(make([]byte, 0, 64+len(event)+len(meta)+len(payload)*4/3), `{"type":"broadcast","event":`...)
	out = append(appendQuoted(out, event), `,"payload":`...)
	switch data[4] {
	case userJSON:
		if err := checkIncoming(payload); err != nil {
			return Incoming{}, err
		}
		out = append(out, payload...)
	case userBytes:
		out = append(out, '"')
		out = append(base64.StdEncoding.AppendEncode(out, payload), '"')
	default:
		return Incoming{}, &DecodeError{Offset: 4, Err: errKind}
	}
	if len(meta) > 0 {
		if err := checkIncoming(meta); err != nil {
			return Incoming{}, err
		}
		out = append(append(out, `,"meta":`...), meta...)
	}
	in := Incoming{Message: Message{Payload: Payload{Data: append(out, '}')}}}
	f := fields{event: []byte("broadcast")}
	if nameFits(topic, MaxTopic) {
		f.topic = topic
	} else {
		in.OddTopic = string(appendQuoted(nil, topic))
	}
	f.pack(&in.Message)
	return in, nil
}

// checkIncoming is Check with any number of tokens.
func checkIncoming(data []byte) error {
	s := scanner{data: data, maxTokens: incomingTokens}
	return s.whole()
}
