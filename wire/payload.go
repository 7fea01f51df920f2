package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Payload is the content of a message: JSON text, or bytes if Binary is set. The zero Payload is
// the empty object. Data may be shared, and must not be changed.
type Payload struct {
	Data   []byte
	Binary bool
}

// Decode stores the payload in the value to which v points. Bytes need a *[]byte; JSON is decoded into
// any other type as by [json.Unmarshal]. A *Payload takes both. A Payload, []byte or json.RawMessage
// shares the memory of p. The error quotes nothing of the payload.
func (p Payload) Decode(v any) error {
	switch v := v.(type) {
	case *Payload:
		*v = p
		return nil
	case *[]byte:
		if !p.Binary {
			return errors.New("wire: the payload is JSON, not bytes")
		}
		*v = p.Data
		return nil
	}
	if p.Binary {
		return fmt.Errorf("wire: the payload is bytes, not JSON: decode it into a *[]byte, not a %T", v)
	}
	data := p.Data
	if len(data) == 0 {
		data = []byte("{}")
	}
	if raw, ok := v.(*json.RawMessage); ok {
		*raw = data
		return nil
	}
	err := json.Unmarshal(data, v)
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return mismatchError(mismatch)
	}
	if err != nil {
		return fmt.Errorf("wire: decoding the payload: %w", err)
	}
	return nil
}

// mismatchError says which types differ, and at which field. It replaces the error of encoding/json, whose
// text may quote a number of the payload, which may be a secret.
func mismatchError(e *json.UnmarshalTypeError) error {
	kind, _, _ := strings.Cut(e.Value, " ")
	if e.Field == "" {
		return fmt.Errorf("wire: the payload is a JSON %s, which does not fit %v", kind, e.Type)
	}
	return fmt.Errorf("wire: the payload has a JSON %s, which does not fit %v, at %s", kind, e.Type, e.Field)
}
