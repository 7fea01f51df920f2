package event

import (
	"encoding/json"
	"errors"

	"github.com/bennu-go/bennu/internal/jsontext"
)

// Sound reports whether an endpoint could have broadcast a message: its event has no Fault, and its
// payload is bytes or the text of a JSON object, which may be nested deeper than the JSON of a client.
func Sound(name string, payload []byte, binary bool) bool {
	if Fault(name) != "" {
		return false
	}
	if binary {
		return true
	}
	if len(payload) == 0 || payload[0] != '{' {
		return false
	}
	_, err := jsontext.Compact(payload)
	return err == nil || errors.Is(err, jsontext.ErrTooDeep) && json.Valid(payload)
}
