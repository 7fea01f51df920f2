package bench

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseMessage(t *testing.T) {
	tests := []struct {
		text string
		want string // fields with | between, null is -; "" is an error
	}{
		{`["1","2","t","e",{}]`, `1|2|t|e|{}`},
		{`[null,null,"room:1","new",{"a":[1,{"b":"]}"}]}]`, `-|-|room:1|new|{"a":[1,{"b":"]}"}]}`},
		{" [ \"1\" , null ,\t\"t\", \"e\" , {\"a\":1} ] \n", `1|-|t|e|{"a":1}`},
		{`["a\"b",7,"t","e",{}]`, `a\"b|7|t|e|{}`},
		{`[{"x":[",",1]},[1,2],"t","e",{}]`, `{"x":[",",1]}|[1,2]|t|e|{}`},
		{``, ``}, {`[]`, ``}, {`{}`, ``}, {`["1","2","t","e"]`, ``}, {`["1","2","t","e",]`, ``},
		{`["1","2","t","e",[]]`, ``}, {`["1","2","t","e",1]`, ``}, {`["1","2,"t","e",{}]`, ``},
		{`["1" "2","t","e",{}]`, ``}, {`[,,,,{}]`, ``}, {`["1","2","t","e",{}`, ``}, {`"`, ``}, {`["`, ``}, {`["\`, ``}, {`[[[[[[`, ``},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			var m message
			err := parseMessage([]byte(tt.text), &m)
			if tt.want == "" {
				if err == nil {
					t.Errorf("got %q", m)
				}
				return
			}
			var fields []string
			for _, f := range [][]byte{m.joinRef, m.ref, m.topic, m.event, m.payload} {
				if f == nil {
					f = []byte("-")
				}
				fields = append(fields, string(f))
			}
			if got := strings.Join(fields, "|"); err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestParseReply(t *testing.T) {
	tests := []struct{ text, status, response, reason string }{
		{`{"status":"ok","response":{}}`, "ok", `{}`, "{}"},
		{`{"response":{"status":"error"},"status":"ok"}`, "ok", `{"status":"error"}`, `{\"status\":\"error\"}`},
		{` { "response" : {"reason":"too many joins"} , "status" : "error" } `, "error", `{"reason":"too many joins"}`, "too many joins"},
		{`{"response":{"a":{"reason":"no"},"reason":"yes"},"status":"error"}`, "error", `{"a":{"reason":"no"},"reason":"yes"}`, "yes"},
		{`{"response":"no","status":"error"}`, "error", `"no"`, `\"no\"`},
		{`{}`, "", "", ""}, {`{"response":{}}`, "", "", ""}, {`{"status":"ok"`, "", "", ""}, {`{"status"}`, "", "", ""}, {`{"status":}`, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			status, response, err := parseReply([]byte(tt.text))
			if tt.status == "" {
				if err == nil {
					t.Errorf("got %s %s", status, response)
				}
				return
			}
			if err != nil || string(status) != tt.status || string(response) != tt.response {
				t.Errorf("got %s %s, %v", status, response, err)
			}
			if reason := reasonOf(response); reason != tt.reason {
				t.Errorf("reason %q, want %q", reason, tt.reason)
			}
		})
	}
	if got := reasonOf([]byte(`{"reason":"` + strings.Repeat("\x1b[2J", 100) + `"}`)); len(got) > 300 || strings.Contains(got, "\x1b") {
		t.Errorf("a reason is shown as %q", got)
	}
}

func TestRefs(t *testing.T) {
	for _, n := range []int{0, 7, 12345678901} {
		quoted := appendRef(nil, kindEcho, n)
		k, got, ok := parseRef(unquote(quoted))
		if k != kindEcho || got != n || !ok {
			t.Errorf("%s: %c %d %v", quoted, k, got, ok)
		}
	}
	for _, ref := range []string{"", "e", "ex", "e-1", "e12345678901234567890", "e1 "} {
		if _, n, ok := parseRef([]byte(ref)); ok {
			t.Errorf("%q is taken for %d", ref, n)
		}
	}
}

func TestMarker(t *testing.T) {
	m, other := newMarker("abc"), newMarker("abd")
	body := newTemplate(`{"body":"{text}"}`)
	payload := body.append(nil, m, kindOne, 17, 100)
	if len(payload) != 100 || !json.Valid(payload) {
		t.Errorf("payload %s with %d bytes", payload, len(payload))
	}
	if k, n, ok := m.find([]byte(`{"at":1,"b":` + string(payload) + `}`)); k != kindOne || n != 17 || !ok {
		t.Errorf("found %c %d %v", k, n, ok)
	}
	if _, _, ok := other.find(payload); ok {
		t.Error("a marker of another run is taken")
	}
	// The marker comes before the size.
	if k, n, ok := m.find(body.append(nil, m, kindSlow, 123456, 1)); k != kindSlow || n != 123456 || !ok {
		t.Errorf("found %c %d %v", k, n, ok)
	}
	for _, text := range []string{"", "@bennu:abc:", "@bennu:abc:o", "@bennu:abc:o@", "@bennu:abc:ox@", "@bennu:abc:o1", "@bennu:abc:o123456789012345678901@"} {
		if _, n, ok := m.find([]byte(text)); ok {
			t.Errorf("%q is taken for %d", text, n)
		}
	}
	fixed := newTemplate(`{}`)
	if got := fixed.append(nil, m, kindOne, 1, 100); string(got) != `{}` {
		t.Errorf("without a place: %s", got)
	}
}

// No input causes a panic, and every message of the protocol is read.
func FuzzParseMessage(f *testing.F) {
	f.Add(`["1","2","t","e",{}]`)
	f.Add(`[null,"j1","room:1","phx_reply",{"response":{"reason":"x"},"status":"error"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var m message
		err := parseMessage([]byte(text), &m)
		if err == nil {
			if status, response, err := parseReply(m.payload); err == nil && status != nil {
				_ = reasonOf(response)
			}
		}
		var fields []json.RawMessage
		if json.Unmarshal([]byte(text), &fields) != nil || len(fields) != 5 || fields[4][0] != '{' {
			return
		}
		if err != nil {
			t.Fatalf("%q is refused", text)
		}
		if string(m.payload) != string(fields[4]) || string(m.event) != string(unquote(fields[3])) {
			t.Errorf("%q is read as %q", text, m)
		}
	})
}
