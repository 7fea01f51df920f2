// Package binframe has the layout of the binary frames of version 2 of the protocol: one byte for
// the kind, one for the length of each field, the fields, and the payload as the rest.
package binframe

import (
	"errors"
	"fmt"
)

// Kinds of binary frames, and how many fields each has.
const (
	Push      = 0 // from the client: join_ref, ref, topic, event; from the server the same without ref
	Reply     = 1 // join_ref, ref, topic, status
	Broadcast = 2 // topic, event
)

// MaxField is the length of the longest field in bytes, since its length is one byte.
const MaxField = 255

// Reasons of a malformed frame.
var (
	ErrShort = errors.New("binary message shorter than its fields")
	ErrKind  = errors.New("unknown kind of binary message")
)

// A Field is one field of a frame. Its name is for errors.
type Field struct{ Name, Text string }

// A FieldError means that a field is longer than [MaxField].
type FieldError struct {
	Field string
	Len   int // bytes
}

// Error implements error.
func (e *FieldError) Error() string {
	return fmt.Sprintf("wire: %s has %d bytes, and a binary message holds at most %d", e.Field, e.Len, MaxField)
}

// Append appends a frame. The error is a [*FieldError].
func Append(dst []byte, kind byte, payload []byte, fields ...Field) ([]byte, error) {
	dst = append(dst, kind)
	for _, f := range fields {
		if len(f.Text) > MaxField {
			return nil, &FieldError{Field: f.Name, Len: len(f.Text)}
		}
		dst = append(dst, byte(len(f.Text)))
	}
	for _, f := range fields {
		dst = append(dst, f.Text...)
	}
	return append(dst, payload...), nil
}

// Split reads the fields of a frame, as many as there are in fields, and returns the
// payload. It returns false for a frame that is shorter than its lengths say. Nothing is copied.
func Split(frame []byte, fields [][]byte) (payload []byte, ok bool) {
	at := 1 + len(fields)
	if len(frame) < at {
		return nil, false
	}
	for i := range fields {
		to := at + int(frame[1+i])
		if to > len(frame) {
			return nil, false
		}
		fields[i] = frame[at:to]
		at = to
	}
	return frame[at:len(frame):len(frame)], true
}

// Offset returns where the field with this index begins in a frame that Split has accepted.
func Offset(frame []byte, fields, index int) int {
	at := 1 + fields
	for i := range index {
		at += int(frame[1+i])
	}
	return at
}
