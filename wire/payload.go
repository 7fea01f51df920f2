package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Payload is what a message carries: JSON text, or bytes if Binary is set. The zero Payload
// stands for the empty object. Data may be shared, and must not be changed.
type Payload struct {
	Data   []byte
	Binary bool
}

// Decode stores the payload in *v. A *[]byte takes bytes, and only bytes; all other types take
// JSON, as [json.Unmarshal] does, except that a *Payload takes both. Payload, []byte and
// json.RawMessage share the memory of p.
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
		return fmt.Errorf("wire: the payload is bytes, not JSON: they decode into a *[]byte, not into a %T", v)
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

// mismatchError says which types differ, and where. The text of encoding/json may quote a number
// of the payload, which may be a secret.
func mismatchError(e *json.UnmarshalTypeError) error {
	kind, _, _ := strings.Cut(e.Value, " ")
	if e.Field == "" {
		return fmt.Errorf("wire: the payload is a JSON %s, which does not fit %v", kind, e.Type)
	}
	return fmt.Errorf("wire: the payload has a JSON %s, which does not fit %v, at %s", kind, e.Type, e.Field)
}
