package wire_test

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/vsn"
	"github.com/bennu-go/bennu/wire"
)

// Messages of clients, with about 100 bytes of payload.
var (
	payload100 = `{"user":"ada","text":"` + strings.Repeat("word ", 13) + `","at":1700000000,"on":true}`
	textV2     = []byte(`["12","345","room:lobby","new_msg",` + payload100 + `]`)
	textV1     = []byte(`{"topic":"room:lobby","event":"new_msg","payload":` + payload100 + `,"ref":"345","join_ref":"12"}`)
	binaryV2   = []byte("\x00\x02\x03\x0a\x07" + "12345room:lobbynew_msg" + payload100)
	heartbeat  = []byte(`[null,"17","phoenix","heartbeat",{}]`)
	payload16K = []byte(`["12","345","room:lobby","new_msg",{"text":"` + strings.Repeat("0123456789abcdef", 1024) + `"}]`)
	numbers16K = []byte(`["12","345","room:lobby","new_msg",[` + strings.Repeat("123.5,", 2700) + `0]]`)
	cyrillic   = []byte(`["12","345","room:lobby","new_msg",{"text":"` + strings.Repeat("слово ", 1500) + `"}]`)

	reply     = &wire.Reply{JoinRef: `"12"`, Ref: `"345"`, Topic: "room:lobby", Status: "ok", Response: wire.Payload{Data: []byte(payload100)}}
	push      = &wire.Push{JoinRef: `"12"`, Topic: "room:lobby", Event: "new_msg", Payload: wire.Payload{Data: []byte(payload100)}}
	placed    = &wire.Broadcast{Ref: `"e7k2m9x4:87901"`, Topic: "room:lobby", Event: "new_msg", Payload: wire.Payload{Data: []byte(payload100)}}
	broadcast = &wire.Broadcast{Topic: "room:lobby", Event: "new_msg", Payload: wire.Payload{Data: []byte(payload100)}}
	binReply  = &wire.Reply{JoinRef: `"12"`, Ref: `"345"`, Topic: "room:lobby", Status: "ok", Response: wire.Payload{Data: []byte(payload100), Binary: true}}
)

func TestAllocations(t *testing.T) {
	buf := make([]byte, 0, 4096)
	decode := func(s wire.Serializer, op wire.Opcode, data []byte) func() {
		return func() {
			if _, err := s.Decode(op, data); err != nil {
				t.Fatal(err)
			}
		}
	}
	encode := func(s wire.Serializer, msg any) func() {
		return func() {
			if _, _, err := appendAny(s, buf, msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	vs, err := vsn.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v1, v2 := wire.V1(nil), wire.V2(nil)
	tests := []struct {
		name string
		most float64
		do   func()
	}{
		{"decode V2 text", 1, decode(v2, wire.Text, textV2)},
		{"decode V2 binary", 1, decode(v2, wire.Binary, binaryV2)},
		{"decode V1", 1, decode(v1, wire.Text, textV1)},
		{"decode heartbeat", 1, decode(v2, wire.Text, heartbeat)},
		{"decode 16 KB", 1, decode(v2, wire.Text, payload16K)},
		{"check", 0, func() { _ = jsontext.Check(textV2) }},
		{"compact", 0, func() { _, _ = jsontext.Compact(textV2) }},
		{"V2 reply", 0, encode(v2, reply)},
		{"V2 push", 0, encode(v2, push)},
		{"V2 broadcast", 0, encode(v2, broadcast)},
		{"V2 broadcast with a position", 0, encode(v2, placed)},
		{"V2 binary reply", 0, encode(v2, binReply)},
		{"V1 reply", 0, encode(v1, reply)},
		{"V1 push", 0, encode(v1, push)},
		{"V1 broadcast", 0, encode(v1, broadcast)},
		{"V1 broadcast with a position", 0, encode(v1, placed)},
		{"select", 0, func() { _, _ = vs.Select("2.0.0") }},
		{"text of a ref", 0, func() { _ = reply.Ref.Text() }},
	}
	for _, tt := range tests {
		if got := testing.AllocsPerRun(100, tt.do); got > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}

func benchmarkDecode(b *testing.B, s wire.Serializer, op wire.Opcode, data []byte) {
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decode(op, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeV2(b *testing.B)          { benchmarkDecode(b, wire.V2(nil), wire.Text, textV2) }
func BenchmarkDecodeV2Heartbeat(b *testing.B) { benchmarkDecode(b, wire.V2(nil), wire.Text, heartbeat) }
func BenchmarkDecodeV2Binary(b *testing.B)    { benchmarkDecode(b, wire.V2(nil), wire.Binary, binaryV2) }
func BenchmarkDecodeV2Text16K(b *testing.B)   { benchmarkDecode(b, wire.V2(nil), wire.Text, payload16K) }
func BenchmarkDecodeV2Numbers16K(b *testing.B) {
	benchmarkDecode(b, wire.V2(nil), wire.Text, numbers16K)
}
func BenchmarkDecodeV2Cyrillic(b *testing.B) { benchmarkDecode(b, wire.V2(nil), wire.Text, cyrillic) }
func BenchmarkDecodeV1(b *testing.B)         { benchmarkDecode(b, wire.V1(nil), wire.Text, textV1) }

func benchmarkEncode(b *testing.B, s wire.Serializer, msg any) {
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := appendAny(s, buf, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeReply(b *testing.B)                 { benchmarkEncode(b, wire.V2(nil), reply) }
func BenchmarkEncodePush(b *testing.B)                  { benchmarkEncode(b, wire.V2(nil), push) }
func BenchmarkEncodeBroadcast(b *testing.B)             { benchmarkEncode(b, wire.V2(nil), broadcast) }
func BenchmarkEncodeBroadcastWithPosition(b *testing.B) { benchmarkEncode(b, wire.V2(nil), placed) }
func BenchmarkEncodeBinaryReply(b *testing.B)           { benchmarkEncode(b, wire.V2(nil), binReply) }
func BenchmarkEncodeReplyV1(b *testing.B)               { benchmarkEncode(b, wire.V1(nil), reply) }

func BenchmarkAppendJSON(b *testing.B) {
	v := struct {
		User string `json:"user"`
		Text string `json:"text"`
		At   int    `json:"at"`
	}{"ada", strings.Repeat("word ", 13), 1700000000}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsontext.Append(buf, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	vs, err := vsn.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := vs.Select("2.0.0"); !ok {
			b.Fatal("refused")
		}
	}
}
