package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

func TestEncodeErrors(t *testing.T) {
	long := strings.Repeat("x", 256)
	b := bin(1)
	tests := []struct {
		name string
		s    wire.Serializer
		msg  any
		want string // the field that is too long; "" for ErrNoBinary
	}{
		{"BI-06 reply ref", wire.V2{}, &wire.Reply{Ref: str(long), Response: b}, "ref"},
		{"reply join_ref", wire.V2{}, &wire.Reply{JoinRef: str(long), Response: b}, "join_ref"},
		{"reply topic", wire.V2{}, &wire.Reply{Topic: long, Response: b}, "topic"},
		{"reply status", wire.V2{}, &wire.Reply{Status: long, Response: b}, "status"},
		{"push join_ref", wire.V2{}, &wire.Push{JoinRef: str(long), Payload: b}, "join_ref"},
		{"push topic", wire.V2{}, &wire.Push{Topic: long, Payload: b}, "topic"},
		{"push event", wire.V2{}, &wire.Push{Event: long, Payload: b}, "event"},
		{"broadcast topic", wire.V2{}, &wire.Broadcast{Topic: long, Payload: b}, "topic"},
		{"broadcast event", wire.V2{}, &wire.Broadcast{Event: long, Payload: b}, "event"},
		{"V1 reply", wire.V1{}, &wire.Reply{Response: b}, ""},
		{"V1 push", wire.V1{}, &wire.Push{Payload: b}, ""},
		{"V1 broadcast", wire.V1{}, &wire.Broadcast{Payload: b}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := appendAny(tt.s, nil, tt.msg)
			if tt.want == "" {
				if !errors.Is(err, wire.ErrNoBinary) {
					t.Fatalf("got %v, want ErrNoBinary", err)
				}
				return
			}
			var tooLong *wire.FieldTooLongError
			if !errors.As(err, &tooLong) {
				t.Fatalf("got %v, want a FieldTooLongError", err)
			}
			if tooLong.Field != tt.want || tooLong.Len != 256 {
				t.Errorf("got %+v, want %s of 256 bytes", tooLong, tt.want)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	long := strings.Repeat("r", wire.MaxRef+1)
	tests := []struct {
		name string
		s    wire.Serializer
		op   wire.Opcode
		in   string
		at   int
		is   error // beside ErrMalformed
	}{
		{"ML-01 object", wire.V2{}, wire.Text, `{oops`, 0, nil},
		{"ML-01 nothing", wire.V2{}, wire.Text, ``, 0, nil},
		{"ML-01 v1 object", wire.V2{}, wire.Text, `{"topic":"t","event":"e","payload":{},"ref":"1"}`, 0, nil},
		{"ML-01 four elements", wire.V2{}, wire.Text, `["1","1","room:1","phx_join"]`, 28, nil},
		{"ML-01 number", wire.V2{}, wire.Text, `5`, 0, nil},
		{"ML-01 trailing", wire.V2{}, wire.Text, `[null,"1","phoenix","heartbeat",{}]x`, 35, nil},
		{"ML-01 overflow", wire.V2{}, wire.Text, `[null,"1","phoenix","heartbeat",{"a":1e400}]`, 37, nil},
		{"ML-01 surrogate", wire.V2{}, wire.Text, `[null,"1","phoenix","heartbeat",{"a":"\ud800"}]`, 38, nil},
		{"no elements", wire.V2{}, wire.Text, `[]`, 1, nil},
		{"only space", wire.V2{}, wire.Text, "  ", 2, nil},
		{"trailing comma", wire.V2{}, wire.Text, `[1,2,3,4,5,]`, 11, nil},
		{"missing comma", wire.V2{}, wire.Text, `[1,2,3,4 5]`, 9, nil},
		{"wrong bracket", wire.V2{}, wire.Text, `[1,2,3,4,5}`, 10, nil},
		{"cut short", wire.V2{}, wire.Text, `[1,2,3,4,5`, 10, nil},
		{"bad extra element", wire.V2{}, wire.Text, `[1,2,3,4,5,tru]`, 11, nil},
		{"two arrays", wire.V2{}, wire.Text, `[1,2,3,4,5][1,2,3,4,5]`, 11, nil},
		{"invalid UTF-8", wire.V2{}, wire.Text, "[1,2,3,4,\"\xc3\x28\"]", 10, nil},
		{"long ref", wire.V2{}, wire.Text, `[null,"` + long + `","t","e",{}]`, 6, wire.ErrRefTooLong},
		{"long join_ref", wire.V2{}, wire.Text, `["` + long + `",null,"t","e",{}]`, 1, wire.ErrRefTooLong},
		{"opcode", wire.V2{}, 9, `[1,2,3,4,5]`, 0, nil},

		{"ML-02 unknown kind", wire.V2{}, wire.Binary, "\xff\x01", 0, nil},
		{"ML-02 nothing", wire.V2{}, wire.Binary, "", 0, nil},
		{"ML-02 reply", wire.V2{}, wire.Binary, "\x01\x01\x01\x01\x01abcdxx", 0, nil},
		{"ML-02 short", wire.V2{}, wire.Binary, "\x00\x05\x01\x01\x01abc", 8, nil},
		{"short head", wire.V2{}, wire.Binary, "\x00\x00\x00\x00", 4, nil},
		{"broadcast", wire.V2{}, wire.Binary, "\x02\x01\x01te", 0, nil},
		{"binary UTF-8 in ref", wire.V2{}, wire.Binary, "\x00\x00\x01\x01\x01\xffte", 5, nil},
		{"binary UTF-8 split", wire.V2{}, wire.Binary, "\x00\x00\x01\x01\x01r\xc3\xa9", 6, nil},

		{"ML-07 missing ref", wire.V1{}, wire.Text, `{"topic":"phoenix","event":"heartbeat","payload":{}}`, 51, nil},
		{"V1 array", wire.V1{}, wire.Text, `[null,"1","phoenix","heartbeat",{}]`, 0, nil},
		{"V1 nothing", wire.V1{}, wire.Text, ``, 0, nil},
		{"V1 empty", wire.V1{}, wire.Text, `{}`, 1, nil},
		{"V1 trailing comma", wire.V1{}, wire.Text, `{"topic":1,}`, 11, nil},
		{"V1 no colon", wire.V1{}, wire.Text, `{"topic" 1}`, 9, nil},
		{"V1 no value", wire.V1{}, wire.Text, `{"topic":}`, 9, nil},
		{"V1 cut short", wire.V1{}, wire.Text, `{"topic":1`, 10, nil},
		{"V1 wrong bracket", wire.V1{}, wire.Text, `{"topic":1]`, 10, nil},
		{"V1 key no string", wire.V1{}, wire.Text, `{topic:1}`, 1, nil},
		{"V1 trailing", wire.V1{}, wire.Text, `{"topic":1,"event":1,"payload":1,"ref":1} {}`, 42, nil},
		{"V1 earlier duplicate is validated", wire.V1{}, wire.Text, `{"topic":01,"topic":1,"event":1,"payload":1,"ref":1}`, 9, nil},
		{"V1 long ref", wire.V1{}, wire.Text, `{"topic":1,"event":1,"payload":1,"ref":"` + long + `"}`, 39, wire.ErrRefTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.s.Decode(tt.op, []byte(tt.in))
			var de *wire.DecodeError
			if !errors.As(err, &de) || !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("got %v, want a DecodeError", err)
			}
			if de.Offset != tt.at {
				t.Errorf("%v: want byte %d", err, tt.at)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v", err, tt.is)
			}
		})
	}
}

// Names at their limit are taken, one byte more makes them odd; the limit counts
// what the escapes stand for.
func TestNameBounds(t *testing.T) {
	atLimit := strings.Repeat("é", 127) + "x"
	for _, s := range []wire.Serializer{wire.V1{}, wire.V2{}} {
		decode := func(name string) wire.Message {
			t.Helper()
			in := `["1","2","` + name + `","` + name + `",{}]`
			if s == (wire.V1{}) {
				in = `{"topic":"` + name + `","event":"` + name + `","payload":{},"ref":1}`
			}
			m, err := s.Decode(wire.Text, []byte(in))
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		for _, name := range []string{atLimit, strings.Repeat(`\u00e9`, 127) + "x"} {
			if m := decode(name); m.Topic != atLimit || m.Event != atLimit || m.OddTopic != "" {
				t.Errorf("%T: name of 255 bytes refused: %+v", s, m)
			}
		}
		for _, name := range []string{atLimit + "y", strings.Repeat("x", 5000)} {
			if m := decode(name); m.Topic != "" || m.Event != "" || m.OddTopic != `"`+name+`"` {
				t.Errorf("%T: name of %d bytes taken: %+v", s, len(name), m)
			}
		}
	}
}

func TestPayloadAliasesData(t *testing.T) {
	for _, tt := range []struct {
		s  wire.Serializer
		op wire.Opcode
		in string
	}{
		{wire.V2{}, wire.Text, `[1,2,"t","e","p",6]`},
		{wire.V2{}, wire.Binary, "\x00\x00\x00\x01\x01te\"p\""},
		{wire.V1{}, wire.Text, `{"topic":"t","event":"e","payload":"p","ref":1}`},
	} {
		data := []byte(tt.in)
		at := strings.Index(tt.in, `"p"`)
		m, err := tt.s.Decode(tt.op, data)
		if err != nil {
			t.Fatal(err)
		}
		if &m.Payload.Data[0] != &data[at] {
			t.Errorf("%T %q: payload was copied", tt.s, tt.in)
		}
		if len(m.Payload.Data) != cap(m.Payload.Data) {
			t.Errorf("%T %q: append to the payload would write into the frame", tt.s, tt.in)
		}
		clear(data)
		if m.Topic != "t" || m.Event != "e" {
			t.Errorf("%T %q: names alias the frame", tt.s, tt.in)
		}
	}
}
