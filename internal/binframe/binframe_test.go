package binframe

import (
	"errors"
	"strings"
	"testing"
)

func TestAppendAndSplit(t *testing.T) {
	long := strings.Repeat("x", MaxField)
	frame, err := Append([]byte("before"), Reply, []byte("payload"), Field{"a", "1"}, Field{"b", ""}, Field{"c", long}, Field{"d", "ok"})
	if err != nil {
		t.Fatal(err)
	}
	frame = frame[len("before"):]
	fields := make([][]byte, 4)
	payload, ok := Split(frame, fields)
	if !ok || string(payload) != "payload" || string(fields[0]) != "1" || len(fields[1]) != 0 || string(fields[2]) != long || string(fields[3]) != "ok" {
		t.Errorf("got %q, %q, %v", fields, payload, ok)
	}
	for i, f := range fields {
		if at := Offset(frame, len(fields), i); string(frame[at:at+len(f)]) != string(f) {
			t.Errorf("field %d begins at %d", i, at)
		}
	}
	for n := range len(frame) - len("payload") {
		if _, ok := Split(frame[:n], fields); ok {
			t.Errorf("accepted the first %d bytes", n)
		}
	}
}

func TestAppendRefusesLongFields(t *testing.T) {
	_, err := Append(nil, Push, nil, Field{"a", "1"}, Field{"b", strings.Repeat("x", MaxField+1)})
	var long *FieldError
	if !errors.As(err, &long) || long.Field != "b" || long.Len != MaxField+1 {
		t.Errorf("error %v", err)
	}
}
