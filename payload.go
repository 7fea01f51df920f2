package bennu

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/wire"
)

// Payload is the content of a message: JSON text, or bytes when Binary is set.
type Payload = wire.Payload

// Empty is the payload {}. As In it accepts and ignores any payload.
type Empty struct{}

// NoReply as the Out of a handler means that there is no reply. A client that waits for one gives
// up after its own time limit, 10 s in stock clients.
type NoReply struct{}

// Raw is JSON text that is not decoded. As In it is the text that the client sent. As Out it must
// be valid JSON; insignificant whitespace is removed. A nil Raw as Out is the empty object.
type Raw = json.RawMessage

var emptyObject = []byte("{}")

// encode returns the payload of a reply, push or broadcast. nil and nil pointers and maps become
// the empty object and nil slices the empty list; a nil []byte is an empty binary payload.
func encode(v any) (Payload, error) {
	switch v := v.(type) {
	case nil, Empty:
		return Payload{Data: emptyObject}, nil
	case *Payload:
		if v != nil {
			return encode(*v)
		}
	case []byte:
		return Payload{Data: v, Binary: true}, nil
	case Raw:
		if v == nil {
			return Payload{Data: emptyObject}, nil
		}
		data, err := jsontext.Compact(v)
		return Payload{Data: data}, err
	case Payload:
		if v.Binary {
			return v, nil
		}
		if v.Data == nil {
			return Payload{Data: emptyObject}, nil
		}
		data, err := jsontext.Compact(v.Data)
		return Payload{Data: data}, err
	}
	data, err := jsontext.Append(nil, v)
	if err != nil {
		return Payload{}, fmt.Errorf("bennu: payload does not encode: %w", err)
	}
	if string(data) == "null" {
		// Clients expect an object or a list. A type that encodes itself as null keeps that.
		if text := nils.JSON(v); text != "" {
			data = []byte(text)
		}
	}
	return Payload{Data: data}, nil
}

// encodeObject is encode for pushes and broadcasts, whose payload must be an object: clients ignore
// any other.
func encodeObject(v any) (Payload, error) {
	p, err := encode(v)
	if err == nil && !p.Binary && len(p.Data) > 0 && p.Data[0] != '{' {
		err = errNotObject
	}
	return p, err
}

// checkEvent returns an ErrInvalid for an event that an application may not send, or nil.
func checkEvent(name string) error {
	if fault := event.Fault(name); fault != "" {
		return invalidError(fault)
	}
	return nil
}

// invalidError is an ErrInvalid with the fault of a push or a broadcast.
type invalidError string

const (
	errTopic     invalidError = `the topic is empty, or begins with "phx:"`
	errNotObject invalidError = "the payload of a push or broadcast must encode to a JSON object"
)

func (e invalidError) Error() string { return "bennu: " + string(e) }

// Is implements the interface of errors.Is.
func (e invalidError) Is(target error) bool { return target == ErrInvalid }

// payloadError is the error for a payload that does not fit its handler. The field is its path, or
// empty. The client is told the field and not the error, which may quote the payload.
type payloadError struct {
	field string
	err   error
}

func (e *payloadError) Error() string { return "bennu: invalid payload: " + e.err.Error() }
func (e *payloadError) Unwrap() error { return e.err }

// decoderOf returns the function that decodes an In. It is called once for each registered handler,
// at where, and panics for an In whose Validate would never be called.
func decoderOf[In any](where string) func(Payload) (In, error) {
	var zero In
	validation, err := validationOf(reflect.TypeFor[In]())
	if err != nil {
		panic(fmt.Sprintf("bennu: %s: %v", where, err))
	}
	return func(p Payload) (In, error) {
		var in In
		switch target := any(&in).(type) {
		// Nothing to decode, whatever the client sent.
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
		if validation != nil {
			if err := validate(validation, &in); err != nil {
				return zero, err
			}
		}
		return in, nil
	}
}

// unmarshal is json.Unmarshal, except that it calls a type's own UnmarshalJSON directly. Decode has
// checked the text already, so the check of json.Unmarshal would be done twice. With generated code
// a message is decoded without reflection.
func unmarshal(text []byte, target any) error {
	if u, ok := target.(json.Unmarshaler); ok {
		return u.UnmarshalJSON(text)
	}
	return json.Unmarshal(text, target)
}

// validate checks a decoded payload. An *Error that names no response of its own gets the path of
// the field.
func validate[In any](v *validation, in *In) error {
	value := reflect.ValueOf(in).Elem()
	if value.Kind() == reflect.Pointer && value.IsNil() {
		return &payloadError{err: errors.New("the payload is null, which cannot be validated")}
	}
	field, err := v.check(value)
	told := pointerIn[Error](err)
	switch {
	case err == nil:
		return nil
	case told == nil:
		return &payloadError{field: field, err: err}
	case field == "" || !nils.Is(told.Response):
		return told
	}
	return &Error{Reason: told.Reason, Response: errorReason{Reason: told.Reason, Field: field}}
}

// decodeError makes a payloadError of an error of encoding/json, with the field if that is known.
func decodeError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return &payloadError{field: wrong.Field, err: err}
	}
	return &payloadError{err: err}
}
