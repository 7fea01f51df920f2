package clientwire

import (
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/wire"
)

// userFrame builds the frame, with lengths that fit.
func userFrame(topic, event, meta string, encoding byte, payload string) []byte {
	head := []byte{4, byte(len(topic)), byte(len(event)), byte(len(meta)), encoding}
	return append(head, topic+event+meta+payload...)
}

func TestUserBroadcast(t *testing.T) {
	for name, tc := range map[string]struct {
		frame []byte
		want  string // payload; empty is an error
	}{
		"json":           {userFrame("realtime:a", "move", "", 1, `{"x":1}`), `{"type":"broadcast","event":"move","payload":{"x":1}}`},
		"metadata":       {userFrame("realtime:a", "m", `{"id":"1"}`, 1, `[1]`), `{"type":"broadcast","event":"m","payload":[1],"meta":{"id":"1"}}`},
		"bytes":          {userFrame("realtime:a", "m", "", 0, "\x00\xff"), `{"type":"broadcast","event":"m","payload":"AP8="}`},
		"no bytes":       {userFrame("realtime:a", "", "", 0, ""), `{"type":"broadcast","event":"","payload":""}`},
		"quotes":         {userFrame("realtime:a", `"},`, "", 1, `1`), `{"type":"broadcast","event":"\"},","payload":1}`},
		"no json":        {userFrame("realtime:a", "m", "", 1, `{"x":1`), ""},
		"two values":     {userFrame("realtime:a", "m", "", 1, `1,"payload":2`), ""},
		"bad metadata":   {userFrame("realtime:a", "m", `{`, 1, `{}`), ""},
		"bad utf-8":      {userFrame("realtime:a", "\xff", "", 1, `{}`), ""},
		"other encoding": {userFrame("realtime:a", "m", "", 2, `{}`), ""},
		"short":          {[]byte{4, 1, 1}, ""},
		"cut":            {[]byte{4, 9, 9, 9, 1, 'a'}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := V2{}.Decode(wire.Binary, tc.frame)
			if tc.want == "" {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Errorf("got %+v and %v, want ErrMalformed", in, err)
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
	payload := "[0" + strings.Repeat(",0", jsontext.MaxTokens) + "]"
	in, err := V2{}.Decode(wire.Binary, userFrame("a", "m", "", 1, payload))
	if err != nil || !strings.Contains(string(in.Payload.Data), payload) {
		t.Errorf("%d bytes, and %v", len(in.Payload.Data), err)
	}
}
