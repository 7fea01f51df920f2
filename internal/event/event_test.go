package event

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

func TestFault(t *testing.T) {
	for event, want := range map[string]string{
		"":                                   "must have a name",
		strings.Repeat("x", wire.MaxEvent+1): "at most 255 bytes",
		"\xff":                               "UTF-8",
		protocol.EventJoin:                   "belongs to the protocol",
		protocol.EventLeave:                  "belongs to the protocol",
		protocol.EventReply:                  "belongs to the protocol",
		protocol.EventClose:                  "belongs to the protocol",
		protocol.EventError:                  "belongs to the protocol",
		protocol.EventHeartbeat:              "", // on every topic but phoenix it is one like others
		"phx_other":                          "",
		"PHX_JOIN":                           "",
		" ":                                  "",
		strings.Repeat("x", wire.MaxEvent):   "",
	} {
		if got := Fault(event); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", event, got, want)
		}
	}
}

func TestSound(t *testing.T) {
	for _, test := range []struct {
		event, payload string
		binary, want   bool
	}{
		{"e", "{}", false, true},
		{"e", `{"a":[1,{"b":null}]}`, false, true},
		{"e", `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, false, true},
		{"e", "\x00\xff", true, true},
		{"e", "", true, true},
		{"e", "", false, false},
		{"e", "[]", false, false},
		{"e", "null", false, false},
		{"e", `{"a":1`, false, false},
		{"e", `{"a":1}{}`, false, false},
		{"e", `{"a":` + strings.Repeat("[", 100) + `}`, false, false},
		{"", "{}", false, false},
		{"", "", true, false},
		{protocol.EventClose, "{}", false, false},
	} {
		if got := Sound(test.event, []byte(test.payload), test.binary); got != test.want {
			t.Errorf("%q, %.30q, binary %t: %t", test.event, test.payload, test.binary, got)
		}
	}
}
