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
