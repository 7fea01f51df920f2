package connect

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

func joinedLobby(topic string) bool { return topic == "lobby" || topic == "room:lobby" }

func TestParseLine(t *testing.T) {
	object := wire.Payload{Data: []byte(`{"a":1}`)}
	tests := []struct {
		text string
		want line
	}{
		{"", line{}},
		{"  \t ", line{}},
		{"join room:lobby", line{verb: "join", topic: "room:lobby"}},
		{` join  room:lobby  { "a": 1 } `, line{verb: "join", topic: "room:lobby", payload: object}},
		{"leave", line{verb: "leave"}},
		{"leave lobby", line{verb: "leave", topic: "lobby"}},
		{"use lobby", line{verb: "use", topic: "lobby"}},
		{"who", line{verb: "who"}},
		{"who room:x", line{verb: "who", topic: "room:x"}},
		{"topics", line{verb: "topics"}},
		{"exit", line{verb: "quit"}},
		{`shout {"a":1}`, line{verb: "push", event: "shout", payload: object}},
		{"ding", line{verb: "push", event: "ding"}},
		{"ping", line{verb: "push", event: "ping"}},
		{"ping {}", line{verb: "push", event: "ping", payload: wire.Payload{Data: []byte("{}")}}},
		{"hello", line{verb: "push", event: "hello"}},
		{"heartbeat", line{verb: "heartbeat"}},
		{"push heartbeat", line{verb: "push", event: "heartbeat"}},
		{"push shout", line{verb: "push", event: "shout"}},
		{`push shout {"a":1}`, line{verb: "push", event: "shout", payload: object}},
		{"push lobby shout", line{verb: "push", topic: "lobby", event: "shout"}},
		{`push room:lobby shout {"a":1}`, line{verb: "push", topic: "room:lobby", event: "shout", payload: object}},
		{`push other:topic shout {"a":1}`, line{verb: "push", topic: "other:topic", event: "shout", payload: object}},
		{`push user:changed {"a":1}`, line{verb: "push", event: "user:changed", payload: object}},
		{"push user:changed", line{verb: "push", event: "user:changed"}},
		{"push join", line{verb: "push", event: "join"}},
		{`jion {"a":1}`, line{verb: "push", event: "jion", payload: object}},
		{"count 3", line{verb: "push", event: "count", payload: wire.Payload{Data: []byte("3")}}},
		{"bin hex:00ff", line{verb: "push", event: "bin", payload: wire.Payload{Data: []byte{0, 0xff}, Binary: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := parseLine(tt.text, joinedLobby)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseLineTypos(t *testing.T) {
	tests := []struct{ text, caret, what string }{
		{"join", "    ^", "a topic: join room:lobby"},
		{"use ", "    ^", "a topic: use room:lobby"},
		{"push", "    ^", "an event: push shout"},
		{"push lobby", "          ^", "an event is missing here"},
		{`push lobby {"a":1}`, "           ^", "an event is missing here"},
		{"topics now", "       ^", "nothing stands here: topics"},
		{"heartbeat {}", "          ^", "heartbeat is a command and takes no payload"},
		{"heartbaet", "^", "is this heartbeat?"},
		{"leave a b", "        ^", "nothing stands here: leave [TOPIC]"},
		{`{"a":1}`, "^", "an event stands before its payload"},
		{"jion room:lobby", "^", "is this join?"},
		{"quti", "^", "is this quit?"},
		{"shout body", "      ^", `text stands in double quotes: "body"`},
		{"push shout body", "           ^", `text stands in double quotes: "body"`},
		{"bin hex:0x", "        ^", "bytes are written as pairs of hexadecimal digits"},
		{"bin hex:00f", "          ^", "bytes are written as pairs of hexadecimal digits"},
		{`shout {"a":1   `, "            ^", "} is missing here"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, err := parseLine(tt.text, joinedLobby)
			bad, ok := errors.AsType[*typo](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if bad.at != len(tt.caret)-1 || !strings.HasPrefix(bad.what, tt.what) {
				t.Errorf("got\n%s%swant\n%s %s", tt.text, bad.show(palette{}, 80), tt.caret, tt.what)
			}
		})
	}
}
