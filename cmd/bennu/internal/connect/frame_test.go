package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/wire"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)

func message(event, payload string) *wire.Message {
	return &wire.Message{JoinRef: `"1"`, Ref: `"2"`, Topic: "room:lobby", Event: event, Payload: wire.Payload{Data: []byte(payload)}}
}

func TestFrameLine(t *testing.T) {
	long := `{"body":"` + strings.Repeat("x", 2000) + `"}`
	tests := []struct {
		name string
		f    *frame
		want string
	}{
		{"sent", &frame{out: true, message: message("shout", `{"body":"hi"}`)}, `→     4 B  room:lobby  shout  {"body":"hi"}`},
		{"received", &frame{message: message("shout", `{"body":"hi"}`)}, `←     4 B  room:lobby  shout  {"body":"hi"}`},
		{"join", &frame{out: true, message: message("phx_join", ``)}, `→     4 B  room:lobby  join  {}`},
		{"reply", &frame{message: message("phx_reply", `{}`), status: "ok", answered: true, to: "shout", took: 2100 * time.Microsecond}, `←     4 B  room:lobby  ok to shout in 2.1 ms  {}`},
		{"reply to a join", &frame{message: message("phx_reply", `{}`), status: "error", answered: true, to: "phx_join", took: 12 * time.Millisecond}, `←     4 B  room:lobby  error to join in 12 ms  {}`},
		{"reply to nothing", &frame{message: message("phx_reply", `{}`), status: "ok"}, `←     4 B  room:lobby  ok  {}`},
		{"crash", &frame{message: message("phx_error", `{}`)}, `←     4 B  room:lobby  crashed  {}`},
		{"close", &frame{message: message("phx_close", `{}`)}, `←     4 B  room:lobby  closed  {}`},
		{"long", &frame{message: message("shout", long)}, `←     4 B  room:lobby  shout  ` + long[:500] + `… (1.5 kB more; --full shows all)`},
		{"bytes", &frame{message: &wire.Message{Topic: "a", Event: "b", Payload: wire.Payload{Data: []byte{0, 255}, Binary: true}}}, `←     4 B  a  b  2 bytes  00 ff`},
		{"no message", &frame{err: errors.New("wire: bad")}, `←     4 B  no message: wire: bad  data`},
		{"odd topic", &frame{message: &wire.Message{OddTopic: "[1]", Event: "b"}}, `←     4 B  [1]  b  {}`},
		{"presence state", &frame{message: message("presence_state", `{"ibis":{"metas":[]},"heron":{"metas":[]}}`)}, `←     4 B  room:lobby  presence_state  here: heron, ibis`},
		{"nobody", &frame{message: message("presence_state", `{}`)}, `←     4 B  room:lobby  presence_state  nobody is here`},
		{"presence diff", &frame{message: message("presence_diff", `{"joins":{"a":{},"b":{}},"leaves":{"b":{},"c":{}}}`)}, `←     4 B  room:lobby  presence_diff  + a, - c, ~ b`},
		{"position", &frame{message: &wire.Message{Ref: `"e7k2m9x4:12"`, Topic: "a", Event: "said"}}, `←     4 B  a  said at e7k2m9x4:12  {}`},
		{"resumed", &frame{message: &wire.Message{Ref: `"e7k2m9x4:12"`, Topic: "a", Event: "bennu:resume", Payload: wire.Payload{Data: []byte(`{"status":"new"}`)}}}, `←     4 B  a  bennu:resume at e7k2m9x4:12  {"status":"new"}`},
		{"escapes in a position", &frame{message: &wire.Message{Ref: `"\u001b:"`, Topic: "a", Event: "said"}}, `←     4 B  a  said at \u001b:  {}`},
		{"odd presence", &frame{message: message("presence_state", `[1]`)}, `←     4 B  room:lobby  presence_state  [1]`},
		{"escapes", &frame{message: &wire.Message{Topic: "a\x1b[2J", Event: "b\x9b", Payload: wire.Payload{Data: []byte("{\"\x1b\":\"\u202e\"}")}}}, `←     4 B  a\u001b[2J  b\ufffd  {"\u001b":"\u202e"}`},
		{"escapes in a status", &frame{message: message("phx_reply", `{}`), status: "\x1b[2J"}, `←     4 B  room:lobby  \u001b[2J  {}`},
		{"escapes in presence", &frame{message: message("presence_state", `{"a\u001b[2J":{}}`)}, `←     4 B  room:lobby  presence_state  here: a\u001b[2J`},
		{"escapes in what is no message", &frame{err: errors.New("x\x1b"), data: []byte("\x1b[2J")}, `←     4 B  no message: x\u001b  \u001b[2J`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.f.at = noon
			if tt.f.data == nil {
				tt.f.data = []byte("data")
			}
			if tt.f.message != nil {
				tt.f.payload = tt.f.message.Payload
			}
			want := "12:00:00.123 " + tt.want
			if got := tt.f.line(palette{}, maxShown); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if got := tt.f.line(palette{on: true}, maxShown); uncolored(got) != want {
				t.Errorf("with colours\n%s\nwant\n%s", uncolored(got), want)
			}
		})
	}
}

func TestNewFrame(t *testing.T) {
	f := newFrame(noon, false, client.Frame{Opcode: wire.Text, Status: "ok", Message: message("phx_reply", `{"status":"ok","response":{"a":1}}`)})
	if f.status != "ok" || string(f.payload.Data) != `{"a":1}` {
		t.Errorf("a reply: %q, %s", f.status, f.payload.Data)
	}
	f = newFrame(noon, false, client.Frame{Opcode: wire.Binary, Status: "ok", Message: &wire.Message{Event: "phx_reply", Payload: wire.Payload{Data: []byte{1}, Binary: true}}})
	if !f.payload.Binary || string(f.payload.Data) != "\x01" {
		t.Errorf("a binary reply: %v", f.payload)
	}
}

// A line of --json is one object on one line, with the payload unchanged.
func TestRecords(t *testing.T) {
	var out strings.Builder
	p := &printer{form: formJSON, out: &out, mask: func(s string) string { return strings.ReplaceAll(s, "sesame", "[FILTERED]") }}
	p.frame(&frame{at: noon, data: []byte("12345"), message: message("shout", `{"a":"\u202e","b":"sesame"}`), payload: wire.Payload{Data: []byte("{\"a\":\"\u202e\",\"b\":\"sesame\"}")}})
	p.frame(&frame{at: noon, out: true, data: []byte("1"), message: message("bin", ""), payload: wire.Payload{Data: []byte{1}, Binary: true}})
	p.frame(&frame{at: noon, message: message("phx_reply", ""), status: "ok", answered: true, to: "shout", took: 1500 * time.Microsecond})
	p.frame(&frame{at: noon, message: &wire.Message{Topic: "phoenix", Event: "heartbeat"}})
	p.frame(&frame{at: noon, data: []byte("\x1b"), err: errors.New("bad")})
	p.news(red, "lost", "connection lost", record{Error: "why"})
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	want := []string{
		`{"time":"2026-03-01T12:00:00.123Z","dir":"in","size":5,"topic":"room:lobby","event":"shout","join_ref":"1","ref":"2","payload":{"a":"\u202e","b":"[FILTERED]"}}`,
		`{"time":"2026-03-01T12:00:00.123Z","dir":"out","size":1,"topic":"room:lobby","event":"bin","join_ref":"1","ref":"2","bytes":"AQ=="}`,
		`{"time":"2026-03-01T12:00:00.123Z","dir":"in","topic":"room:lobby","event":"phx_reply","join_ref":"1","ref":"2","status":"ok","reply_to":"shout","ms":1.5,"payload":{}}`,
		`{"time":"2026-03-01T12:00:00.123Z","dir":"in","size":1,"bytes":"Gw==","error":"bad"}`,
	}
	if len(lines) != len(want)+1 {
		t.Fatalf("got %d lines:\n%s", len(lines), out.String())
	}
	for i, w := range want {
		if lines[i] != w {
			t.Errorf("got\n%s\nwant\n%s", lines[i], w)
		}
	}
	var r record
	if err := json.Unmarshal([]byte(lines[len(want)]), &r); err != nil || r.State != "lost" || r.Error != "why" || r.Dir != "state" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRaw(t *testing.T) {
	var out strings.Builder
	p := &printer{form: formRaw, all: true, out: &out, mask: func(s string) string { return s }}
	p.frame(&frame{out: true, text: true, data: []byte(`[null,"1","phoenix","heartbeat",{}]`), message: &wire.Message{Topic: "phoenix"}})
	p.frame(&frame{data: []byte{0, 1, 0xff}})
	p.frame(&frame{text: true, data: []byte("\x1b[2J\n")})
	want := "> [null,\"1\",\"phoenix\",\"heartbeat\",{}]\n< 00 01 ff\n< \\u001b[2J \n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_234_567: "1.2 MB"} {
		if got := size(n); got != want {
			t.Errorf("size %d: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0.0 ms", 1500 * time.Microsecond: "1.5 ms", 12 * time.Millisecond: "12 ms", 1500 * time.Millisecond: "1.5 s"} {
		if got := fmt.Sprint(span(d)); got != want {
			t.Errorf("span %d: %s, want %s", d, got, want)
		}
	}
}
