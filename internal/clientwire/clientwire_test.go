package clientwire

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/binframe"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

func TestAppend(t *testing.T) {
	joinRef, ref := wire.StringRef("1"), wire.StringRef("2")
	text := wire.Payload{Data: []byte(`{"a":1}`)}
	bin := wire.Payload{Data: []byte{0, 255}, Binary: true}
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		name string
		s    Serializer
		m    wire.Message
		op   wire.Opcode
		want string
		err  error
	}{
		{"v2", V2{}, wire.Message{JoinRef: joinRef, Ref: ref, Topic: "a:\"b", Event: "e", Payload: text}, wire.Text, `["1","2","a:\"b","e",{"a":1}]`, nil},
		{"v2 empty", V2{}, wire.Message{Topic: "t", Event: "e"}, wire.Text, `[null,null,"t","e",{}]`, nil},
		{"v2 binary", V2{}, wire.Message{JoinRef: joinRef, Ref: ref, Topic: "ab", Event: "e", Payload: bin}, wire.Binary, "\x00\x01\x01\x02\x0112abe\x00\xff", nil},
		{"v2 binary too long", V2{}, wire.Message{Topic: long, Payload: bin}, 0, "", &binframe.FieldError{Field: "topic", Len: 256}},
		{"v1", V1{}, wire.Message{JoinRef: joinRef, Ref: ref, Topic: "t", Event: "e", Payload: text}, wire.Text, `{"topic":"t","event":"e","payload":{"a":1},"ref":"2","join_ref":"1"}`, nil},
		{"v1 binary", V1{}, wire.Message{Payload: bin}, 0, "", wire.ErrNoBinary},
	} {
		t.Run(c.name, func(t *testing.T) {
			op, got, err := c.s.Append([]byte("before"), &c.m)
			if c.err != nil {
				if !reflect.DeepEqual(err, c.err) {
					t.Fatalf("error %v, want %v", err, c.err)
				}
				return
			}
			if err != nil || op != c.op || string(got) != "before"+c.want {
				t.Fatalf("got %v %q, %v; want %v %q", op, got, err, c.op, c.want)
			}
			// The server's end reads it.
			m, err := server(c.s).Decode(op, got[len("before"):])
			if err != nil || m.Topic != c.m.Topic || m.Event != c.m.Event || m.Ref.Text() != c.m.Ref.Text() || m.JoinRef.Text() != c.m.JoinRef.Text() {
				t.Fatalf("read back as %+v, %v", m, err)
			}
		})
	}
}

// server is the other end of s.
func server(s Serializer) wire.Serializer {
	if s == (V1{}) {
		return wire.V1(nil)
	}
	return wire.V2(nil)
}

func TestDecode(t *testing.T) {
	type want struct {
		joinRef, ref  wire.Ref
		topic, event  string
		payload       string
		status, reply string
	}
	for _, c := range []struct {
		name string
		s    Serializer
		op   wire.Opcode
		in   string
		want want
	}{
		{"push", V2{}, wire.Text, `["1",null,"t","e",{"a":1}]`, want{`"1"`, "", "t", "e", `{"a":1}`, "", ""}},
		{"broadcast", V2{}, wire.Text, `[null,null,"t","e",{}]`, want{"", "", "t", "e", `{}`, "", ""}},
		{"reply", V2{}, wire.Text, `["1","2","t","phx_reply",{"response":[1,{}],"status":"ok"}]`,
			want{`"1"`, `"2"`, "t", "phx_reply", `{"response":[1,{}],"status":"ok"}`, "ok", `[1,{}]`}},
		{"reply with spaces, escapes and more", V2{}, wire.Text, `["1", 2, "t", "phx_reply", { "x" : {"status":"no"} , "status" : "\u006fk" , "response" : null } ]`,
			want{`"1"`, `2`, "t", "phx_reply", `{ "x" : {"status":"no"} , "status" : "\u006fk" , "response" : null }`, "ok", `null`}},
		{"reply without response", V2{}, wire.Text, `["1","2","t","phx_reply",{"status":"ok"}]`, want{`"1"`, `"2"`, "t", "phx_reply", `{"status":"ok"}`, "ok", ""}},
		{"v1 reply", V1{}, wire.Text, `{"topic":"t","event":"phx_reply","payload":{"status":"error","response":{}},"ref":"2"}`,
			want{"", `"2"`, "t", "phx_reply", `{"status":"error","response":{}}`, "error", `{}`}},
		{"v1 push", V1{}, wire.Text, `{"topic":"t","event":"e","payload":{},"ref":null}`, want{"", "", "t", "e", `{}`, "", ""}},
		{"binary push", V2{}, wire.Binary, "\x00\x01\x02\x031tteve\xff", want{`"1"`, "", "tt", "eve", "\xff", "", ""}},
		{"binary reply", V2{}, wire.Binary, "\x01\x01\x02\x01\x02123tokpay", want{`"1"`, `"23"`, "t", "phx_reply", "pay", "ok", "pay"}},
		{"binary reply without refs", V2{}, wire.Binary, "\x01\x00\x00\x01\x02tok", want{"", "", "t", "phx_reply", "", "ok", ""}},
		{"binary broadcast", V2{}, wire.Binary, "\x02\x01\x01te\x00", want{"", "", "t", "e", "\x00", "", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.s.Decode(c.op, []byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			got := want{m.JoinRef, m.Ref, m.Topic, m.Event, string(m.Payload.Data), m.Status, string(m.Response.Data)}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if binary := c.op == wire.Binary; m.Payload.Binary != binary || m.Response.Binary != (binary && m.Status != "") {
				t.Errorf("binary: %v, %v", m.Payload.Binary, m.Response.Binary)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Serializer
		op   wire.Opcode
		in   string
	}{
		{"nothing", V2{}, wire.Text, ""},
		{"no array", V2{}, wire.Text, "{}"},
		{"reply that is no object", V2{}, wire.Text, `["1","2","t","phx_reply",[]]`},
		{"empty reply", V2{}, wire.Text, `["1","2","t","phx_reply",{}]`},
		{"reply whose status is no string", V2{}, wire.Text, `["1","2","t","phx_reply",{"status":1}]`},
		{"v1 reply without status", V1{}, wire.Text, `{"topic":"t","event":"phx_reply","payload":{},"ref":null}`},
		{"too deep", V2{}, wire.Text, `["1","2","t","e",` + strings.Repeat("[", jsontext.MaxDepth) + strings.Repeat("]", jsontext.MaxDepth) + `]`},
		{"no frame", V2{}, 9, `["1","2","t","e",{}]`},
		{"empty binary", V2{}, wire.Binary, ""},
		{"unknown kind", V2{}, wire.Binary, "\x03\x01\x01te"},
		{"no lengths", V2{}, wire.Binary, "\x00\x01"},
		{"half a field", V2{}, wire.Binary, "\x02\x05\x01te"},
		{"no UTF-8", V2{}, wire.Binary, "\x02\x01\x01\xffe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if m, err := c.s.Decode(c.op, []byte(c.in)); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("got %+v, %v; want ErrMalformed", m, err)
			}
		})
	}
}

// A server may send a list longer than a client may.
func TestDecodeHasNoTokenLimit(t *testing.T) {
	in := `[null,null,"t","e",[` + strings.Repeat("1,", jsontext.MaxTokens) + `1]]`
	if _, err := (V2{}).Decode(wire.Text, []byte(in)); err != nil {
		t.Error(err)
	}
	if _, err := wire.V2(nil).Decode(wire.Text, []byte(in)); !errors.Is(err, jsontext.ErrTooManyTokens) {
		t.Errorf("the server's end: %v, want ErrTooManyTokens", err)
	}
}

// What a server writes, its client reads.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`["1","2","t","phx_reply",{"status":"ok","response":{}}]`, `{"topic":"t","event":"e","payload":{},"ref":null}`,
		"\x00\x01\x02\x031tteve", "\x01\x01\x02\x01\x02123tokpay", "\x02\x01\x01te"} {
		f.Add(byte(wire.Text), []byte(seed))
		f.Add(byte(wire.Binary), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, op byte, data []byte) {
		for _, s := range []Serializer{V1{}, V2{}} {
			in, err := s.Decode(wire.Opcode(op), data)
			if err != nil {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Fatalf("error %v", err)
				}
				continue
			}
			if in.Event != protocol.EventReply {
				continue
			}
			sent := wire.Reply{JoinRef: in.JoinRef, Ref: in.Ref, Topic: in.Topic, OddTopic: in.OddTopic, Status: in.Status, Response: in.Response}
			op, again, err := server(s).AppendReply(nil, &sent)
			if err != nil {
				continue // longer than a binary frame can tell
			}
			back, err := s.Decode(op, again)
			if err != nil || back.Status != in.Status || back.Ref != in.Ref || back.Topic != in.Topic {
				t.Fatalf("%q, written again as %q, is %+v, %v", data, again, back, err)
			}
		}
	})
}
