package wire_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

// str is the Ref of a JSON string.
func str(s string) wire.Ref { return wire.StringRef(s) }

func json(text string) wire.Payload { return wire.Payload{Data: []byte(text)} }

func bin(data ...byte) wire.Payload { return wire.Payload{Data: data, Binary: true} }

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func equalMessages(a, b wire.Message) bool {
	return a.JoinRef == b.JoinRef && a.Ref == b.Ref && a.Topic == b.Topic && a.OddTopic == b.OddTopic &&
		a.Event == b.Event && a.Payload.Binary == b.Payload.Binary && string(a.Payload.Data) == string(b.Payload.Data)
}

// The names of these cases are those of the conformance suite. A Phoenix server has sent or
// accepted these bytes.
func TestDecodeGolden(t *testing.T) {
	const v1Heartbeat = `{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}`
	tests := []struct {
		name string
		s    wire.Serializer
		op   wire.Opcode
		in   string // text, or hex for a binary frame of V2
		want wire.Message
	}{
		{"HB-01", wire.V2(nil), wire.Text, `[null,"1","phoenix","heartbeat",{}]`,
			wire.Message{Ref: str("1"), Topic: "phoenix", Event: "heartbeat", Payload: json(`{}`)}},
		{"HB-02 integer ref", wire.V2(nil), wire.Text, `[null,7,"phoenix","heartbeat",{}]`,
			wire.Message{Ref: "7", Topic: "phoenix", Event: "heartbeat", Payload: json(`{}`)}},
		{"HB-03 null ref", wire.V2(nil), wire.Text, `["9",null,"phoenix","heartbeat",{}]`,
			wire.Message{JoinRef: str("9"), Topic: "phoenix", Event: "heartbeat", Payload: json(`{}`)}},
		{"HB-05 binary", wire.V2(nil), wire.Binary, "00000107093770686f656e6978686561727462656174",
			wire.Message{JoinRef: str(""), Ref: str("7"), Topic: "phoenix", Event: "heartbeat", Payload: bin()}},
		{"ML-04 topic no string", wire.V2(nil), wire.Text, `["1","1",5,"phx_join",{}]`,
			wire.Message{JoinRef: str("1"), Ref: str("1"), OddTopic: "5", Event: "phx_join", Payload: json(`{}`)}},
		{"ML-05 whitespace", wire.V2(nil), wire.Text, ` [null, "1", "phoenix", "heartbeat", {}] `,
			wire.Message{Ref: str("1"), Topic: "phoenix", Event: "heartbeat", Payload: json(`{}`)}},
		{"BI-01", wire.V2(nil), wire.Binary, "00010106033132726f6f6d3a7862696e0102",
			wire.Message{JoinRef: str("1"), Ref: str("2"), Topic: "room:x", Event: "bin", Payload: bin(1, 2)}},
		{"BI-02 empty join_ref", wire.V2(nil), wire.Binary, "000001070332726f6f6d3a783362696e7a",
			wire.Message{JoinRef: `""`, Ref: str("2"), Topic: "room:x3", Event: "bin", Payload: bin('z')}},
		{"BI-03 join", wire.V2(nil), wire.Binary, "0001010508313165786163747068785f6a6f696e78797a",
			wire.Message{JoinRef: str("1"), Ref: str("1"), Topic: "exact", Event: "phx_join", Payload: bin('x', 'y', 'z')}},
		{"V1-01", wire.V1(nil), wire.Text, `{"topic":"room:v1","event":"phx_join","payload":{},"ref":"1"}`,
			wire.Message{Ref: str("1"), Topic: "room:v1", Event: "phx_join", Payload: json(`{}`)}},
		{"V1-02 join_ref", wire.V1(nil), wire.Text, `{"topic":"room:v2","event":"phx_join","payload":{},"ref":"1","join_ref":"1"}`,
			wire.Message{JoinRef: str("1"), Ref: str("1"), Topic: "room:v2", Event: "phx_join", Payload: json(`{}`)}},
		{"V1-04 in a binary frame", wire.V1(nil), wire.Binary, v1Heartbeat,
			wire.Message{Ref: str("1"), Topic: "phoenix", Event: "heartbeat", Payload: json(`{}`)}},
		{"EN-02", wire.V2(nil), wire.Text, `["1","2","room:n","echo",{"a":123456789012345678901234567890,"b":0.1}]`,
			wire.Message{JoinRef: str("1"), Ref: str("2"), Topic: "room:n", Event: "echo",
				Payload: json(`{"a":123456789012345678901234567890,"b":0.1}`)}},

		{"extra elements", wire.V2(nil), wire.Text, `["1","2","t","e",[],{"x":[1]},null]`,
			wire.Message{JoinRef: str("1"), Ref: str("2"), Topic: "t", Event: "e", Payload: json(`[]`)}},
		{"event no string", wire.V2(nil), wire.Text, `["1","2","t",{},null]`,
			wire.Message{JoinRef: str("1"), Ref: str("2"), Topic: "t", Payload: json(`null`)}},
		{"escapes", wire.V2(nil), wire.Text, `["\u0031","2","t\u00e9\"","\ud83d\ude00",0]`,
			wire.Message{JoinRef: str("1"), Ref: str("2"), Topic: `té"`, Event: "😀", Payload: json(`0`)}},
		{"topic made odd by a control character", wire.V2(nil), wire.Text, `["1","2","t\u000a","e\t",0]`,
			wire.Message{JoinRef: str("1"), Ref: str("2"), OddTopic: `"t\n"`, Payload: json(`0`)}},
		{"odd topic is compact", wire.V2(nil), wire.Text, `["1","2",{ "a" : [ 1, "b c" ] },"e",0]`,
			wire.Message{JoinRef: str("1"), Ref: str("2"), OddTopic: `{"a":[1,"b c"]}`, Event: "e", Payload: json(`0`)}},
		{"payload stays as it is", wire.V2(nil), wire.Text, `["1","2","t","e", { "a" : 1 } ]`,
			wire.Message{JoinRef: str("1"), Ref: str("2"), Topic: "t", Event: "e", Payload: json(`{ "a" : 1 }`)}},
		{"DEL in a topic", wire.V2(nil), wire.Text, "[null,null,\"\x7f\",\"e\",0]",
			wire.Message{Topic: "\x7f", Event: "e", Payload: json(`0`)}},
		{"empty names", wire.V2(nil), wire.Text, `[null,null,"","",0]`, wire.Message{Payload: json(`0`)}},

		{"binary control characters", wire.V2(nil), wire.Binary, "00010101010a22" + "0a" + "09" + "ff",
			wire.Message{JoinRef: `"\n"`, Ref: `"\""`, OddTopic: `"\n"`, Payload: bin(0xff)}},
		{"binary empty", wire.V2(nil), wire.Binary, "0000000000",
			wire.Message{JoinRef: `""`, Ref: `""`, Payload: bin()}},

		{"V1 whitespace, order, null", wire.V1(nil), wire.Text,
			" {\n\"ref\" : null , \"payload\":null,\"event\":null, \"join_ref\" : null,\"topic\":null } ",
			wire.Message{OddTopic: "null", Payload: json(`null`)}},
		{"V1 last wins", wire.V1(nil), wire.Text,
			`{"topic":"a","event":"a","payload":1,"ref":1,"topic":"b","event":"b","payload":2,"ref":2,"join_ref":1,"join_ref":null}`,
			wire.Message{Ref: "2", Topic: "b", Event: "b", Payload: json(`2`)}},
		{"V1 escaped keys", wire.V1(nil), wire.Text,
			`{"\u0074opic":"t","\u0065\u0076\u0065\u006e\u0074":"e","payload":1,"ref":2,"\u006a\u006f\u0069\u006e\u005f\u0072\u0065\u0066":3,"refs":4,` +
				`"\u006a\u006f\u0069\u006e\u005f\u0072\u0065\u0066\u0066":5,"\n":6}`,
			wire.Message{JoinRef: "3", Ref: "2", Topic: "t", Event: "e", Payload: json(`1`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := []byte(tt.in)
			if tt.op == wire.Binary && tt.s == wire.V2(nil) {
				data = unhex(t, tt.in)
			}
			got, err := tt.s.Decode(tt.op, data)
			if err != nil {
				t.Fatal(err)
			}
			if !equalMessages(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestEncodeGolden(t *testing.T) {
	ok := func(topic string) *wire.Reply {
		return &wire.Reply{JoinRef: str("1"), Ref: str("1"), Topic: topic, Status: "ok"}
	}
	tests := []struct {
		name string
		s    wire.Serializer
		msg  any
		want string // text, or hex after "hex:"
	}{
		{"HB-01", wire.V2(nil), &wire.Reply{Ref: str("1"), Topic: "phoenix", Status: "ok"},
			`[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`},
		{"HB-02", wire.V2(nil), &wire.Reply{Ref: "7", Topic: "phoenix", Status: "ok"},
			`[null,7,"phoenix","phx_reply",{"response":{},"status":"ok"}]`},
		{"HB-03", wire.V2(nil), &wire.Reply{Topic: "phoenix", Status: "ok"},
			`[null,null,"phoenix","phx_reply",{"response":{},"status":"ok"}]`},
		{"HB-04", wire.V2(nil), &wire.Reply{Ref: str("3"), Topic: "phoenix", Status: "error", Response: json(`{"reason":"unmatched topic"}`)},
			`[null,"3","phoenix","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"ML-04", wire.V2(nil), &wire.Reply{Ref: str("1"), OddTopic: "5", Status: "error", Response: json(`{"reason":"unmatched topic"}`)},
			`[null,"1",5,"phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"EN-01", wire.V2(nil), ok("room:<ü>&"),
			`["1","1","room:<ü>&","phx_reply",{"response":{},"status":"ok"}]`},
		{"raw characters", wire.V2(nil), ok("/\u2028\u2029\x7f"),
			"[\"1\",\"1\",\"/\u2028\u2029\x7f\",\"phx_reply\",{\"response\":{},\"status\":\"ok\"}]"},
		{"escapes", wire.V2(nil), &wire.Push{Topic: "\"\\\n\x01\xff", Event: "\t\x1f"},
			`[null,null,"\"\\\n\u0001` + "\ufffd" + `","\t\u001f",{}]`},
		{"any response", wire.V2(nil), &wire.Reply{Topic: "t", Status: "s", Response: json(`[1]`)},
			`[null,null,"t","phx_reply",{"response":[1],"status":"s"}]`},
		{"BI-06 close", wire.V2(nil), &wire.Push{JoinRef: str("1"), Ref: str("1"), Topic: "room:x7", Event: "phx_error", Payload: json(`{"reason":"channel_crash"}`)},
			`["1","1","room:x7","phx_error",{"reason":"channel_crash"}]`},
		{"push", wire.V2(nil), &wire.Push{JoinRef: str("1"), Topic: "t", Event: "e", Payload: json(`{"n":1}`)},
			`["1",null,"t","e",{"n":1}]`},
		{"broadcast", wire.V2(nil), &wire.Broadcast{Topic: "t", Event: "e", Payload: json(`{"n":1}`)},
			`[null,null,"t","e",{"n":1}]`},
		{"broadcast with a position", wire.V2(nil), &wire.Broadcast{Ref: str("e7k2m9x4:87901"), Topic: "t", Event: "e", Payload: json(`{"n":1}`)},
			`[null,"e7k2m9x4:87901","t","e",{"n":1}]`},
		{"broadcast of nothing", wire.V2(nil), &wire.Broadcast{Topic: "t", Event: "e"}, `[null,null,"t","e",{}]`},

		{"BI-01 push", wire.V2(nil), &wire.Push{JoinRef: str("1"), Topic: "room:x", Event: "binpush", Payload: bin(0, 1)},
			"hex:0001060731726f6f6d3a7862696e707573680001"},
		{"BI-01 broadcast", wire.V2(nil), &wire.Broadcast{Topic: "room:x", Event: "binbc", Payload: bin(5, 6)},
			"hex:020605726f6f6d3a7862696e62630506"},
		{"binary broadcast with a position", wire.V2(nil), &wire.Broadcast{Ref: str("e7k2m9x4:87901"), Topic: "room:x", Event: "binbc", Payload: bin(5, 6)},
			"hex:020605726f6f6d3a7862696e62630506"},
		{"BI-01 reply", wire.V2(nil), &wire.Reply{JoinRef: str("1"), Ref: str("2"), Topic: "room:x", Status: "ok", Response: bin(1, 2, 3, 4)},
			"hex:01010106023132726f6f6d3a786f6b01020304"},
		{"BI-04", wire.V2(nil), &wire.Reply{JoinRef: str("1"), Ref: str("2"), Topic: "room:x5", Status: "ok", Response: bin(1, 2)},
			"hex:01010107023132726f6f6d3a78356f6b0102"},
		{"BI-05 longest ref", wire.V2(nil), &wire.Reply{JoinRef: str("1"), Ref: str(strings.Repeat("r", 255)), Topic: "room:x6", Status: "ok", Response: bin(1, 2)},
			"hex:0101ff070231" + strings.Repeat("72", 255) + "726f6f6d3a78366f6b0102"},
		{"binary refs as text", wire.V2(nil), &wire.Reply{JoinRef: "1", Topic: "t", Status: "ok", Response: bin()},
			"hex:010100010231746f6b"},
		{"binary ref with escapes", wire.V2(nil), &wire.Reply{JoinRef: `"\""`, Ref: "2.0", OddTopic: `"\n"`, Status: "", Response: bin()},
			"hex:01010301" + "00" + "22" + "322e30" + "0a"},

		{"V1-01 reply", wire.V1(nil), ok("room:v1"),
			`{"topic":"room:v1","event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1"}`},
		{"V1-01 push", wire.V1(nil), &wire.Push{JoinRef: str("1"), Topic: "room:v1", Event: "pushed", Payload: json(`{"n":1}`)},
			`{"topic":"room:v1","event":"pushed","payload":{"n":1},"ref":null}`},
		{"V1-01 close", wire.V1(nil), &wire.Push{Topic: "room:v1", Event: "phx_close"},
			`{"topic":"room:v1","event":"phx_close","payload":{},"ref":null}`},
		{"V1-02 error", wire.V1(nil), &wire.Push{JoinRef: str("1"), Ref: str("1"), Topic: "room:v2", Event: "phx_error", Payload: json(`{"reason":"channel_crash"}`)},
			`{"topic":"room:v2","event":"phx_error","payload":{"reason":"channel_crash"},"ref":"1"}`},
		{"V1 broadcast", wire.V1(nil), &wire.Broadcast{Topic: "<", Event: "&"},
			`{"topic":"<","event":"&","payload":{},"ref":null}`},
		{"V1 broadcast with a position", wire.V1(nil), &wire.Broadcast{Ref: str("e7k2m9x4:87901"), Topic: "t", Event: "e", Payload: json(`{"n":1}`)},
			`{"topic":"t","event":"e","payload":{"n":1},"ref":"e7k2m9x4:87901"}`},
		{"V1 odd topic", wire.V1(nil), &wire.Reply{OddTopic: "null", Status: "error"},
			`{"topic":null,"event":"phx_reply","payload":{"response":{},"status":"error"},"ref":null}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const before = "kept "
			op, got, err := appendAny(tt.s, []byte(before), tt.msg)
			if err != nil {
				t.Fatal(err)
			}
			want, wantOp := []byte(tt.want), wire.Text
			if h, found := strings.CutPrefix(tt.want, "hex:"); found {
				want, wantOp = unhex(t, h), wire.Binary
			}
			if string(got) != before+string(want) || op != wantOp {
				t.Errorf("got  %d %q\nwant %d %q", op, got, wantOp, before+string(want))
			}
		})
	}
}

// appendAny encodes msg, which is one of the three kinds of message.
func appendAny(s wire.Serializer, dst []byte, msg any) (wire.Opcode, []byte, error) {
	switch m := msg.(type) {
	case *wire.Reply:
		return s.AppendReply(dst, m)
	case *wire.Push:
		return s.AppendPush(dst, m)
	case *wire.Broadcast:
		return s.AppendBroadcast(dst, m)
	}
	panic("unknown kind of message")
}
