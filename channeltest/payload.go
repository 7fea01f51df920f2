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

// encode makes the payload of what a test sends or wants.
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
		if text := nils.JSON(v); text != "" { // else it encodes itself so
			data = []byte(text)
		}
	}
	return wire.Payload{Data: data}, err
}

// decodeAs makes a T of a payload.
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

// canonical makes equal JSON equal bytes.
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

// most bounds what is shown of a payload.
const most = 500

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
