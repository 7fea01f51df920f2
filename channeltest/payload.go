package channeltest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/wire"
)

// encode makes a payload of a value that a test sends or expects, by the rules of the package
// documentation.
func encode(v any) (wire.Payload, error) {
	switch v := v.(type) {
	case []byte:
		return wire.Payload{Data: bytes.Clone(v), Binary: true}, nil
	case bennu.Payload:
		if !v.Binary && v.Data == nil {
			return encode(nil)
		}
		if v.Binary || json.Valid(v.Data) {
			return v, nil
		}
		return v, errors.New("it is not JSON")
	}
	data, err := json.Marshal(v)
	if string(data) == "null" {
		if text := nils.JSON(v); text != "" { // "" if v has a method that encodes it as null
			data = []byte(text)
		}
	}
	return wire.Payload{Data: data}, err
}

// decodeAs decodes a payload into T.
func decodeAs[T any](p wire.Payload) (value T, err error) {
	switch to := any(&value).(type) {
	case *bennu.Payload:
		*to = p
		return value, nil
	case *[]byte:
		if !p.Binary {
			return value, errors.New("it is JSON, not bytes")
		}
		*to = p.Data
		return value, nil
	}
	if p.Binary {
		return value, errors.New("it is bytes, not JSON")
	}
	return value, json.Unmarshal(p.Data, &value)
}

// canonical returns equal bytes for equal JSON: it sorts members and drops white space. It keeps numbers
// as they are written, since two that differ may be one float64.
func canonical(p wire.Payload) []byte {
	if p.Binary {
		return p.Data
	}
	d := json.NewDecoder(bytes.NewReader(p.Data))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return p.Data
	}
	data, err := json.Marshal(v)
	if err != nil {
		return p.Data
	}
	return data
}

// most bounds a payload in a failure, in bytes.
const most = 500

// show returns a payload as a failure shows it: JSON as it is, bytes quoted.
func show(p wire.Payload) string {
	data, more := p.Data, ""
	if len(data) > most {
		data, more = data[:most], fmt.Sprintf("… %d bytes", len(p.Data))
	}
	if p.Binary {
		return fmt.Sprintf("%d bytes %q%s", len(p.Data), data, more)
	}
	return string(data) + more
}
