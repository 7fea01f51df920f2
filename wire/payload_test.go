package wire_test

import (
	stdjson "encoding/json"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

func TestPayloadDecode(t *testing.T) {
	var (
		object  struct{ N int }
		bytes   []byte
		raw     stdjson.RawMessage
		payload wire.Payload
		named   hexes
	)
	for _, tc := range []struct {
		name  string
		p     wire.Payload
		v     any
		fault string // empty for none
	}{
		{"object", json(`{"n":7}`), &object, ""},
		{"the zero Payload", wire.Payload{}, &object, ""},
		{"bytes", bin(1, 2), &bytes, ""},
		{"no bytes", bin(), &bytes, ""},
		{"JSON as it is", json(`{"n": 7}`), &raw, ""},
		{"payload of bytes", bin(3), &payload, ""},
		{"payload of JSON", json(`[]`), &payload, ""},
		{"a type of bytes is JSON", json(`"AQI="`), &named, ""},
		{"JSON for bytes", json(`"AQI="`), &bytes, "is JSON, not bytes"},
		{"bytes for JSON", bin(1), &object, "decode it into a *[]byte, not a *struct"},
		{"bytes for text", bin(1), &raw, "not a *json.RawMessage"},
		{"another type", json(`{"n":"123456"}`), &object, "has a JSON string, which does not fit int, at "},
		{"no object", json(`[1]`), &object, "is a JSON array, which does not fit struct"},
		{"a large number", json(`{"n":1e99}`), &object, "has a JSON number, which does not fit int"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.p.Decode(tc.v)
			switch {
			case tc.fault == "" && err != nil:
				t.Error(err)
			case tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)):
				t.Errorf("error %v, want %q in it", err, tc.fault)
			case err != nil && strings.Contains(err.Error(), "1e99"):
				t.Errorf("%v quotes the payload", err)
			}
		})
	}
	if object.N != 7 || string(bytes) != "" || string(raw) != `{"n": 7}` || payload.Binary || string(named) != "\x01\x02" {
		t.Errorf("%v %q %s %v %q", object, bytes, raw, payload, named)
	}
}

type hexes []byte

func TestPayloadDecodeShares(t *testing.T) {
	p := bin(1, 2)
	var b []byte
	if err := p.Decode(&b); err != nil || &b[0] != &p.Data[0] {
		t.Errorf("bytes were copied, %v", err)
	}
}
