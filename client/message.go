package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/wire"
)

// Binary is a payload of bytes. Push it to send a binary frame; take it from
// [Push], [Join] or [On] to receive one. Version 1 of the protocol has none, and over
// long polling Phoenix takes them but cannot send them.
type Binary []byte

// Payload is what came with a message: JSON text, or bytes when Binary is set. That of
// an event, and what is decoded from it without a copy, is shared by all callbacks and
// iterators and must not be changed; that of a reply too, while there is a
// Socket.OnMessage.
type Payload struct {
	Data   []byte
	Binary bool
}

// Decode stores the payload in *v: as [json.Unmarshal] does, except that a *Binary
// takes bytes and a *[json.RawMessage] takes JSON text as it is. The error wraps
// [ErrBadReply].
func (p Payload) Decode(v any) error {
	switch v := v.(type) {
	case *Payload:
		*v = p
		return nil
	case *Binary:
		if !p.Binary {
			return fmt.Errorf("%w: JSON came where bytes were due", ErrBadReply)
		}
		*v = p.Data
		return nil
	}
	if p.Binary {
		return fmt.Errorf("%w: bytes came where JSON was due: use Binary", ErrBadReply)
	}
	if raw, ok := v.(*json.RawMessage); ok {
		*raw = p.Data
		return nil
	}
	err := json.Unmarshal(p.Data, v)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mismatch):
		// Its own text may have a number of the payload.
		kind, _, _ := strings.Cut(mismatch.Value, " ")
		if mismatch.Field == "" {
			return fmt.Errorf("%w: a JSON %s came where a %v was due", ErrBadReply, kind, mismatch.Type)
		}
		return fmt.Errorf("%w: a JSON %s came where a %v was due, at %s", ErrBadReply, kind, mismatch.Type, mismatch.Field)
	}
	return fmt.Errorf("%w: %w", ErrBadReply, err)
}

// Message is an event that the server sent.
type Message struct {
	Topic string
	Event string
	// JoinRef is that of the channel's join under which the message came. For
	// Socket.OnMessage it is what the message has, which for a broadcast is nothing.
	JoinRef string
	Ref     string // as a rule empty
	Payload Payload
}

// Decode is [Payload.Decode] of the payload.
func (m Message) Decode(v any) error { return m.Payload.Decode(v) }

// Reply answers a push or a join.
type Reply struct {
	Status   string // "ok", unless it comes with a *ReplyError
	Response Payload
}

// Decode is [Payload.Decode] of the response.
func (r Reply) Decode(v any) error { return r.Response.Decode(v) }

// err is nil for the status ok, else a *ReplyError.
func (r Reply) err() error {
	if r.Status == wire.StatusOK {
		return nil
	}
	reason, _ := told(r.Response)
	return &ReplyError{Status: r.Status, Reason: reason, Response: r.Response}
}

// told are the members "reason" and "field" of a payload, when those are strings.
func told(p Payload) (reason, field string) {
	if p.Binary {
		return "", ""
	}
	var v struct {
		Reason any `json:"reason"`
		Field  any `json:"field"`
	}
	_ = json.Unmarshal(p.Data, &v)
	reason, _ = v.Reason.(string)
	field, _ = v.Field.(string)
	return reason, field
}

// encode encodes v as the payload of a message. A nil v becomes {}, a nil slice [], and a
// nil Binary an empty binary payload.
func encode(v any) (wire.Payload, error) {
	switch v := v.(type) {
	case nil:
		return wire.Payload{}, nil
	case Binary:
		return wire.Payload{Data: append([]byte(nil), v...), Binary: true}, nil
	case Payload:
		if v.Binary {
			return encode(Binary(v.Data))
		}
		return encode(json.RawMessage(v.Data))
	}
	data, err := jsontext.Append(nil, v)
	if err != nil {
		return wire.Payload{}, fmt.Errorf("client: encoding the payload: %w", err)
	}
	if string(data) == "null" {
		if text := nils.JSON(v); text != "" { // else it encodes itself so
			data = []byte(text)
		}
	}
	return wire.Payload{Data: data}, nil
}
