package bennu

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Empty is the payload {}. As In it accepts whatever the client sent.
type Empty struct{}

// NoReply as the Out of a handler means that there is no reply.
type NoReply struct{}

// Raw is JSON text that is passed on undecoded. As In it is what the client
// sent; as Out it must be valid JSON, and is compacted if need be. A nil Raw as Out
// is the empty object.
type Raw []byte

// MarshalJSON makes a Raw within another value stand for its JSON text.
func (r Raw) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON keeps a copy of the JSON text.
func (r *Raw) UnmarshalJSON(data []byte) error {
	*r = append((*r)[:0], data...)
	return nil
}

// Validator is an In that checks itself once it is decoded. When
// Validate fails, the handler is not called: an *Error is replied as it is, any
// other error as "invalid payload", with its text logged at debug level only.
type Validator interface{ Validate() error }

var emptyObject = []byte("{}")

// encode makes the payload of a reply, push or broadcast.
func encode(v any) (Payload, error) {
	switch v := v.(type) {
	case nil, Empty:
		return Payload{Data: emptyObject}, nil
	case []byte:
		return Payload{Data: v, Binary: true}, nil
	case Raw:
		if v == nil { // what a handler returns beside an error
			return Payload{Data: emptyObject}, nil
		}
		data, err := wire.Compact(v)
		return Payload{Data: data}, err
	case Payload:
		if v.Binary || v.Data == nil {
			return v, nil
		}
		data, err := wire.Compact(v.Data)
		return Payload{Data: data}, err
	}
	data, err := wire.AppendJSON(nil, v)
	if err != nil {
		return Payload{}, fmt.Errorf("bennu: payload does not encode: %w", err)
	}
	return Payload{Data: data}, nil
}

// encodeObject is encode for pushes and broadcasts, whose payload must be an
// object (protocol: output restrictions).
func encodeObject(v any) (Payload, error) {
	p, err := encode(v)
	if err == nil && !p.Binary && len(p.Data) > 0 && p.Data[0] != '{' {
		err = ErrNotObject
	}
	return p, err
}

// errEvent is what is wrong with the event of a push or broadcast.
var errEvent = fmt.Errorf("bennu: an event must be UTF-8 of at most %d bytes", wire.MaxEvent)

func checkEvent(event string) error {
	if len(event) > wire.MaxEvent || !utf8.ValidString(event) {
		return errEvent
	}
	return nil
}

// payloadError is a payload that does not fit its handler.
type payloadError struct {
	field string
	err   error
}

func (e *payloadError) Error() string { return "bennu: invalid payload: " + e.err.Error() }
func (e *payloadError) Unwrap() error { return e.err }

// decoderOf picks, once for each registered handler, how its In is decoded.
func decoderOf[In any]() func(Payload) (In, error) {
	var zero In
	validates := isValidator[In]()
	return func(p Payload) (In, error) {
		var in In
		switch target := any(&in).(type) {
		case *Empty, *NoReply:
			return zero, nil
		case *Payload:
			*target = p
			return in, nil
		case *[]byte:
			if !p.Binary {
				return zero, &payloadError{err: errors.New("want binary, got JSON")}
			}
			*target = p.Data
			return in, nil
		case *Raw:
			if p.Binary {
				return zero, &payloadError{err: errors.New("want JSON, got binary")}
			}
			*target = p.Data
			return in, nil
		default:
			if p.Binary {
				return zero, &payloadError{err: errors.New("want JSON, got binary")}
			}
			if err := unmarshal(p.Data, target); err != nil {
				return zero, decodeError(err)
			}
		}
		if validates {
			if err := validate(&in); err != nil {
				var told *Error
				if errors.As(err, &told) {
					return zero, told
				}
				return zero, &payloadError{err: err}
			}
		}
		return in, nil
	}
}

// unmarshal is json.Unmarshal without its own look at text that Decode has checked, for a
// type with code of its own for it: there are generators of such code, and with
// it a message is decoded without reflection.
func unmarshal(text []byte, target any) error {
	if u, ok := target.(json.Unmarshaler); ok {
		return u.UnmarshalJSON(text)
	}
	return json.Unmarshal(text, target)
}

func isValidator[In any]() bool {
	var in In
	if _, ok := any(in).(Validator); ok {
		return true
	}
	_, ok := any(&in).(Validator)
	return ok
}

func validate[In any](in *In) error {
	if v, ok := any(in).(Validator); ok {
		return v.Validate()
	}
	if v, ok := any(*in).(Validator); ok {
		return v.Validate()
	}
	return nil
}

func decodeError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return &payloadError{field: wrong.Field, err: err}
	}
	return &payloadError{err: err}
}

// frame seals what a serializer appends. One of the application's own may panic,
// and must not end its caller, who may be a publisher.
func frame(size int, appendTo func(dst []byte) (wire.Opcode, []byte, error)) (f transport.Frame, err error) {
	defer func() {
		if v := recover(); v != nil {
			f, err = transport.Frame{}, newPanicError(v)
		}
	}()
	buf := make([]byte, transport.Headroom, transport.Headroom+size)
	op, buf, err := appendTo(buf)
	if err != nil {
		return transport.Frame{}, err
	}
	return transport.Seal(op, buf), nil
}

// envelope is a little more than what stands around a payload, names aside.
const envelope = 64

func replyFrame(s wire.Serializer, r *wire.Reply) (transport.Frame, error) {
	size := envelope + len(r.JoinRef) + len(r.Ref) + len(r.Topic) + len(r.OddTopic) + len(r.Status) + len(r.Response.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendReply(dst, r) })
}

func pushFrame(s wire.Serializer, p *wire.Push) (transport.Frame, error) {
	size := envelope + len(p.JoinRef) + len(p.Ref) + len(p.Topic) + len(p.Event) + len(p.Payload.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendPush(dst, p) })
}

func broadcastFrame(s wire.Serializer, b *wire.Broadcast) (transport.Frame, error) {
	size := envelope + len(b.Topic) + len(b.Event) + len(b.Payload.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendBroadcast(dst, b) })
}
