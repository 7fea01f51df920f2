package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/binframe"
	"github.com/bennu-go/bennu/internal/jsontext"
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
		{"BI-06 reply ref", wire.V2(nil), &wire.Reply{Ref: str(long), Response: b}, "ref"},
		{"reply join_ref", wire.V2(nil), &wire.Reply{JoinRef: str(long), Response: b}, "join_ref"},
		{"reply topic", wire.V2(nil), &wire.Reply{Topic: long, Response: b}, "topic"},
		{"reply status", wire.V2(nil), &wire.Reply{Status: long, Response: b}, "status"},
		{"push join_ref", wire.V2(nil), &wire.Push{JoinRef: str(long), Payload: b}, "join_ref"},
		{"push topic", wire.V2(nil), &wire.Push{Topic: long, Payload: b}, "topic"},
		{"push event", wire.V2(nil), &wire.Push{Event: long, Payload: b}, "event"},
		{"broadcast topic", wire.V2(nil), &wire.Broadcast{Topic: long, Payload: b}, "topic"},
		{"broadcast event", wire.V2(nil), &wire.Broadcast{Event: long, Payload: b}, "event"},
		{"V1 reply", wire.V1(nil), &wire.Reply{Response: b}, ""},
		{"V1 push", wire.V1(nil), &wire.Push{Payload: b}, ""},
		{"V1 broadcast", wire.V1(nil), &wire.Broadcast{Payload: b}, ""},
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
			var tooLong *binframe.FieldError
			if !errors.As(err, &tooLong) {
				t.Fatalf("got %v, want a FieldError", err)
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
		why  string // in the text of the error
	}{
		{"ML-01 object", wire.V2(nil), wire.Text, `{oops`, 0, ""},
		{"ML-01 nothing", wire.V2(nil), wire.Text, ``, 0, ""},
		{"ML-01 v1 object", wire.V2(nil), wire.Text, `{"topic":"t","event":"e","payload":{},"ref":"1"}`, 0, ""},
		{"ML-01 four elements", wire.V2(nil), wire.Text, `["1","1","room:1","phx_join"]`, 28, ""},
		{"ML-01 number", wire.V2(nil), wire.Text, `5`, 0, ""},
		{"ML-01 trailing", wire.V2(nil), wire.Text, `[null,"1","phoenix","heartbeat",{}]x`, 35, ""},
		{"ML-01 overflow", wire.V2(nil), wire.Text, `[null,"1","phoenix","heartbeat",{"a":1e400}]`, 37, ""},
		{"ML-01 surrogate", wire.V2(nil), wire.Text, `[null,"1","phoenix","heartbeat",{"a":"\ud800"}]`, 38, ""},
		{"no elements", wire.V2(nil), wire.Text, `[]`, 1, ""},
		{"only space", wire.V2(nil), wire.Text, "  ", 2, ""},
		{"trailing comma", wire.V2(nil), wire.Text, `[1,2,3,4,5,]`, 11, ""},
		{"missing comma", wire.V2(nil), wire.Text, `[1,2,3,4 5]`, 9, ""},
		{"wrong bracket", wire.V2(nil), wire.Text, `[1,2,3,4,5}`, 10, ""},
		{"cut short", wire.V2(nil), wire.Text, `[1,2,3,4,5`, 10, ""},
		{"bad extra element", wire.V2(nil), wire.Text, `[1,2,3,4,5,tru]`, 11, ""},
		{"two arrays", wire.V2(nil), wire.Text, `[1,2,3,4,5][1,2,3,4,5]`, 11, ""},
		{"invalid UTF-8", wire.V2(nil), wire.Text, "[1,2,3,4,\"\xc3\x28\"]", 10, ""},
		{"long ref", wire.V2(nil), wire.Text, `[null,"` + long + `","t","e",{}]`, 6, "longer than 1024"},
		{"long join_ref", wire.V2(nil), wire.Text, `["` + long + `",null,"t","e",{}]`, 1, "longer than 1024"},
		{"opcode", wire.V2(nil), 9, `[1,2,3,4,5]`, 0, ""},

		{"ML-02 unknown kind", wire.V2(nil), wire.Binary, "\xff\x01", 0, ""},
		{"ML-02 nothing", wire.V2(nil), wire.Binary, "", 0, ""},
		{"ML-02 reply", wire.V2(nil), wire.Binary, "\x01\x01\x01\x01\x01abcdxx", 0, ""},
		{"ML-02 short", wire.V2(nil), wire.Binary, "\x00\x05\x01\x01\x01abc", 8, ""},
		{"short head", wire.V2(nil), wire.Binary, "\x00\x00\x00\x00", 4, ""},
		{"broadcast", wire.V2(nil), wire.Binary, "\x02\x01\x01te", 0, ""},
		{"binary UTF-8 in ref", wire.V2(nil), wire.Binary, "\x00\x00\x01\x01\x01\xffte", 5, ""},
		{"binary UTF-8 split", wire.V2(nil), wire.Binary, "\x00\x00\x01\x01\x01r\xc3\xa9", 6, ""},

		{"ML-07 missing ref", wire.V1(nil), wire.Text, `{"topic":"phoenix","event":"heartbeat","payload":{}}`, 51, ""},
		{"V1 array", wire.V1(nil), wire.Text, `[null,"1","phoenix","heartbeat",{}]`, 0, ""},
		{"V1 nothing", wire.V1(nil), wire.Text, ``, 0, ""},
		{"V1 empty", wire.V1(nil), wire.Text, `{}`, 1, ""},
		{"V1 trailing comma", wire.V1(nil), wire.Text, `{"topic":1,}`, 11, ""},
		{"V1 no colon", wire.V1(nil), wire.Text, `{"topic" 1}`, 9, ""},
		{"V1 no value", wire.V1(nil), wire.Text, `{"topic":}`, 9, ""},
		{"V1 cut short", wire.V1(nil), wire.Text, `{"topic":1`, 10, ""},
		{"V1 wrong bracket", wire.V1(nil), wire.Text, `{"topic":1]`, 10, ""},
		{"V1 key no string", wire.V1(nil), wire.Text, `{topic:1}`, 1, ""},
		{"V1 trailing", wire.V1(nil), wire.Text, `{"topic":1,"event":1,"payload":1,"ref":1} {}`, 42, ""},
		{"V1 earlier duplicate is validated", wire.V1(nil), wire.Text, `{"topic":01,"topic":1,"event":1,"payload":1,"ref":1}`, 9, ""},
		{"V1 long ref", wire.V1(nil), wire.Text, `{"topic":1,"event":1,"payload":1,"ref":"` + long + `"}`, 39, "longer than 1024"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.s.Decode(tt.op, []byte(tt.in))
			var de *jsontext.Error
			if !errors.As(err, &de) || !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("got %v, want a malformed message", err)
			}
			if de.Offset != tt.at {
				t.Errorf("%v: want byte %d", err, tt.at)
			}
			if !strings.Contains(err.Error(), tt.why) {
				t.Errorf("got %v, want %q in it", err, tt.why)
			}
		})
	}
}

// Names of up to 255 bytes are accepted. With one byte more the message has an OddTopic. Escapes
// count as the text that they stand for.
func TestNameBounds(t *testing.T) {
	atLimit := strings.Repeat("é", 127) + "x"
	for _, s := range []wire.Serializer{wire.V1(nil), wire.V2(nil)} {
		decode := func(name string) wire.Message {
			t.Helper()
			in := `["1","2","` + name + `","` + name + `",{}]`
			if s == wire.V1(nil) {
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
		{wire.V2(nil), wire.Text, `[1,2,"t","e","p",6]`},
		{wire.V2(nil), wire.Binary, "\x00\x00\x00\x01\x01te\"p\""},
		{wire.V1(nil), wire.Text, `{"topic":"t","event":"e","payload":"p","ref":1}`},
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
