package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

// userBroadcast builds the frame, with lengths that fit.
func userBroadcast(topic, event, meta string, encoding byte, payload string) []byte {
	head := []byte{4, byte(len(topic)), byte(len(event)), byte(len(meta)), encoding}
	return append(head, topic+event+meta+payload...)
}

func TestUserBroadcast(t *testing.T) {
	for name, tc := range map[string]struct {
		frame []byte
		want  string // payload; empty is an error
	}{
		"json":           {userBroadcast("realtime:a", "move", "", 1, `{"x":1}`), `{"type":"broadcast","event":"move","payload":{"x":1}}`},
		"metadata":       {userBroadcast("realtime:a", "m", `{"id":"1"}`, 1, `[1]`), `{"type":"broadcast","event":"m","payload":[1],"meta":{"id":"1"}}`},
		"bytes":          {userBroadcast("realtime:a", "m", "", 0, "\x00\xff"), `{"type":"broadcast","event":"m","payload":"AP8="}`},
		"no bytes":       {userBroadcast("realtime:a", "", "", 0, ""), `{"type":"broadcast","event":"","payload":""}`},
		"quotes":         {userBroadcast("realtime:a", `"},`, "", 1, `1`), `{"type":"broadcast","event":"\"},","payload":1}`},
		"no json":        {userBroadcast("realtime:a", "m", "", 1, `{"x":1`), ""},
		"two values":     {userBroadcast("realtime:a", "m", "", 1, `1,"payload":2`), ""},
		"bad metadata":   {userBroadcast("realtime:a", "m", `{`, 1, `{}`), ""},
		"bad utf-8":      {userBroadcast("realtime:a", "\xff", "", 1, `{}`), ""},
		"other encoding": {userBroadcast("realtime:a", "m", "", 2, `{}`), ""},
		"short":          {[]byte{4, 1, 1}, ""},
		"cut":            {[]byte{4, 9, 9, 9, 1, 'a'}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := wire.V2{}.DecodeIncoming(wire.Binary, tc.frame)
			if tc.want == "" {
				var wrong *wire.DecodeError
				if !errors.As(err, &wrong) {
					t.Errorf("got %+v and %v, want a DecodeError", in, err)
				}
				return
			}
			if err != nil || in.Topic != "realtime:a" || in.Event != "broadcast" || in.Payload.Binary || string(in.Payload.Data) != tc.want || !in.JoinRef.IsNull() || !in.Ref.IsNull() {
				t.Errorf("got %+v with %s and %v, want payload %s", in, in.Payload.Data, err, tc.want)
			}
		})
	}
}

// A payload may have as many values as that of a text frame.
func TestUserBroadcastOfManyValues(t *testing.T) {
	payload := "[0" + strings.Repeat(",0", wire.MaxTokens) + "]"
	in, err := wire.V2{}.DecodeIncoming(wire.Binary, userBroadcast("a", "m", "", 1, payload))
	if err != nil || !strings.Contains(string(in.Payload.Data), payload) {
		t.Errorf("%d bytes, and %v", len(in.Payload.Data), err)
	}
}
