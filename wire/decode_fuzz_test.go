package wire_test

import (
	stdjson "encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/wire"
)

// checkDecoded checks what Decode guarantees for any input.
func checkDecoded(t *testing.T, s wire.Serializer, data []byte, m wire.Message, err error) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("%q: %v is not ErrMalformed", data, err)
		}
		return
	}
	for _, r := range []wire.Ref{m.JoinRef, m.Ref} {
		if len(r.Text()) > wire.MaxRef {
			t.Fatalf("%q: ref of %d bytes", data, len(r.Text()))
		}
		if again, err := wire.ParseRef(r.Append(nil)); err != nil || again != r {
			t.Fatalf("%q: ref %s reads back as %s, %v", data, r, again, err)
		}
	}
	for _, name := range []string{m.Topic, m.Event} {
		if len(name) > wire.MaxTopic || !utf8.ValidString(name) {
			t.Fatalf("%q: name %q", data, name)
		}
		for _, c := range []byte(name) {
			if c < ' ' {
				t.Fatalf("%q: name %q", data, name)
			}
		}
	}
	if m.OddTopic != "" && (m.Topic != "" || !isCompact([]byte(m.OddTopic))) {
		t.Fatalf("%q: odd topic %q beside %q", data, m.OddTopic, m.Topic)
	}
	if !m.Payload.Binary {
		if !stdjson.Valid(m.Payload.Data) {
			t.Fatalf("%q: payload %q", data, m.Payload.Data)
		}
		// A decoded message can be answered with valid JSON.
		_, out, err := s.AppendReply(nil, &wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, OddTopic: m.OddTopic, Status: "ok", Response: m.Payload})
		if err != nil || !stdjson.Valid(out) {
			t.Fatalf("%q: reply %q, %v", data, out, err)
		}
	}
}

// isCompact reports whether text is compact JSON.
func isCompact(text []byte) bool {
	compact, err := jsontext.Compact(text)
	return err == nil && string(compact) == string(text)
}

// seeds are inputs near the edges of the grammar.
var seeds = []string{
	``, `null`, `[null,"1","phoenix","heartbeat",{}]`, `["1",2,"t\u0041",{"e":1.0},[],6]`, `["\ud83d",1e309,"t","e",{}]`,
	`{"\u0074opic":"t","event":"e","payload":{},"ref":1,"join_ref":[1.0,-0]}`, "[1,2,\"\xff\",4,5]", strings.Repeat("[", 65),
}

func FuzzDecodeV1(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.V1(nil).Decode(wire.Text, data)
		checkDecoded(t, wire.V1(nil), data, m, err)
		if err != nil {
			return
		}
		// The standard library finds the same members.
		var want map[string]stdjson.RawMessage
		if err := stdjson.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if string(want["payload"]) != string(m.Payload.Data) {
			t.Fatalf("%q: payload %q, want %q", data, m.Payload.Data, want["payload"])
		}
		var topic string
		if stdjson.Unmarshal(want["topic"], &topic) == nil && m.Topic != topic && m.OddTopic == "" {
			t.Fatalf("%q: topic %q, want %q", data, m.Topic, topic)
		}
	})
}

func FuzzDecodeV2Text(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.V2(nil).Decode(wire.Text, data)
		checkDecoded(t, wire.V2(nil), data, m, err)
		if err != nil {
			return
		}
		var want []stdjson.RawMessage
		if err := stdjson.Unmarshal(data, &want); err != nil || len(want) < 5 {
			t.Fatalf("%q: %d elements, %v", data, len(want), err)
		}
		if string(want[4]) != string(m.Payload.Data) {
			t.Fatalf("%q: payload %q, want %q", data, m.Payload.Data, want[4])
		}
		// A message without an OddTopic is the same when it is written and read again.
		if m.OddTopic == "" {
			_, out, err := wire.V2(nil).AppendPush(nil, &wire.Push{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, Event: m.Event, Payload: m.Payload})
			if err != nil {
				t.Fatal(err)
			}
			again, err := wire.V2(nil).Decode(wire.Text, out)
			if err != nil || !equalMessages(again, m) {
				t.Fatalf("%q: %+v, %v; before %+v", data, again, err, m)
			}
		}
	})
}

func FuzzDecodeV2Binary(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x00\x00\x01\x07\x097phoenixheartbeat", "\x00\x01\x01\x06\x0312room:xbin\x01\x02", "\xff\x01", "\x00\x05\x01\x01\x01abc"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.V2(nil).Decode(wire.Binary, data)
		checkDecoded(t, wire.V2(nil), data, m, err)
		if err != nil || m.OddTopic != "" {
			return
		}
		// A reply has the fields of a push, with the status for the event.
		_, out, err := wire.V2(nil).AppendReply(nil, &wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, Status: m.Event, Response: m.Payload})
		if err != nil {
			t.Fatal(err)
		}
		out[0] = data[0]
		if m.Event != "" && string(out) != string(data) {
			t.Fatalf("%q comes back as %q", data, out)
		}
	})
}
