package connect

import (
	"testing"

	"github.com/bennu-go/bennu/wire"
)

func TestComplete(t *testing.T) {
	tests := []struct{ line, want, shown string }{ // | is the cursor
		{"jo|", "join |", ""},
		{"le|", "leave |", ""},
		{"p|", "push |", ""},
		{"he|", "he|", "  heartbeat  help\n"},
		{"pu|", "push |", ""},
		{"re|", "reconnect |", ""},
		{"sh|", "shout |", ""},
		{"|", "|", "  disconnect  heartbeat  help  join  leave  push  quit  reconnect  shout  shrug  topics  use  who\n"},
		{"s|", "sh|", ""},
		{"use r|", "use room:lobby |", ""},
		{"leave |", "leave |", "  ping:a  room:lobby\n"},
		{"push room:lobby shr|", "push room:lobby shrug |", ""},
		{"push shr|", "push shrug |", ""},
		{"push pi|", "push ping:a |", ""},
		{"topics r|", "topics r|", ""},
		{"who x|", "who x|", ""},
		{`shout {"a":1} s|`, `shout {"a":1} s|`, ""},
		{"us| room:lobby", "use |room:lobby", ""},
		{"join n|", "join n|", ""},
		{"join g|", "join gone |", ""},
		{"join r|", "join r|", ""},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			shown := ""
			c := completer{
				topics: func() []string { return []string{"ping:a", "room:lobby"} },
				left:   func() []string { return []string{"gone"} },
				events: func() []string { return []string{"shout", "shrug", "a b"} },
				show:   func(s string) { shown += s },
			}
			if tt.line == "sh|" {
				c.events = func() []string { return []string{"shout"} }
			}
			at := len(tt.line)
			for i := range tt.line {
				if tt.line[i] == '|' {
					at = i
				}
			}
			text := tt.line[:at] + tt.line[at+1:]
			line, pos, ok := c.complete(text, at, '\t')
			if !ok || line[:pos]+"|"+line[pos:] != tt.want || shown != tt.shown {
				t.Errorf("got %q and %q, want %q and %q", line[:pos]+"|"+line[pos:], shown, tt.want, tt.shown)
			}
		})
	}
	if _, _, ok := (&completer{}).complete("jo", 2, 'i'); ok {
		t.Error("a letter completes")
	}
}

// Completion runs in the goroutine that reads the terminal, while another leaves a refused topic.
func TestCompleteWhileTopicsChange(t *testing.T) {
	target := &target{url: "ws://localhost:1/socket", timeout: 1, secrets: new(secrets)}
	s := newSession(target, &printer{mask: target.secrets.mask, out: new(buffer), say: new(buffer), bad: new(buffer)})
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.end()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			s.topicNames()
			s.leftNames()
		}
	}()
	for range 100 {
		for _, topic := range []string{"a", "b"} {
			if _, err := s.enter(topic, wire.Payload{}); err != nil {
				t.Fatal(err)
			}
		}
		s.forget("a")
		s.forget("b")
	}
	<-done
}
