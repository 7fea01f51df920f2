package client

import (
	"encoding/json"
	"fmt"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// Payload is the content of a message: JSON text, or bytes if Binary is set. Decode stores it in a
// Go value: bytes in a *[]byte, JSON in other types.
type Payload = wire.Payload

// A Message is an event from the server.
type Message struct {
	Topic   string
	Event   string
	JoinRef string // of the join under which the channel received it
	Ref     string // the position in the history of the topic, which a channel that resumes gets; otherwise mostly empty
	Payload Payload
}

// A Reply answers a push or a join.
type Reply struct {
	Status   string // "ok", except beside a *ReplyError
	Response Payload
}

// err is nil for the status "ok", otherwise a *ReplyError.
func (r Reply) err() error {
	if r.Status == protocol.StatusOK {
		return nil
	}
	reason, _ := told(r.Response)
	return &ReplyError{Status: r.Status, Reason: reason, Response: r.Response}
}

// told returns the members "reason" and "field" of a payload; each is empty if it is not a string.
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

// encode makes the payload of a message. It copies bytes, since they may wait to be sent. A nil map or
// slice becomes {} or [] instead of null, as on the server.
func encode(v any) (Payload, error) {
	switch v := v.(type) {
	case nil:
		return Payload{}, nil
	case []byte:
		return Payload{Data: append([]byte(nil), v...), Binary: true}, nil
	case Payload:
		if v.Binary {
			return encode(v.Data)
		}
		return encode(json.RawMessage(v.Data))
	}
	data, err := jsontext.Append(nil, v)
	if err != nil {
		return Payload{}, fmt.Errorf("client: encoding the payload: %w", err)
	}
	if string(data) == "null" {
		if text := nils.JSON(v); text != "" { // "" if v has a method that encodes it as null
			data = []byte(text)
		}
	}
	return Payload{Data: data}, nil
}

// decodeReply decodes the response of a reply without an error.
func decodeReply[Out any](r Reply, err error) (out Out, _ error) {
	if err != nil {
		return out, err
	}
	if err := r.Response.Decode(&out); err != nil {
		return out, fmt.Errorf("client: decoding the reply: %w", err)
	}
	return out, nil
}
