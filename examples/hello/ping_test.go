package hello

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
)

// Handlers are plain methods: no server is needed to test one.
func TestHandlersAlone(t *testing.T) {
	p := &pingChannel{}
	if got, err := p.ping(t.Context(), bennu.Empty{}); got.Ping != "pong" || err != nil {
		t.Errorf("ping = %+v, %v", got, err)
	}
	if got, err := p.hello(t.Context(), hello{Name: "Ani"}); !strings.HasPrefix(got.Message, "Hello, Ani.") || err != nil {
		t.Errorf("hello = %+v, %v", got, err)
	}
	p.waiting = true
	if _, err := p.dingMe(t.Context(), dingMe{}); err == nil {
		t.Error("dingMe accepts a second request while the first is waiting")
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		in   bennu.Validator
		want string // the error, "" for none
	}{
		{hello{"Ani"}, ""},
		{hello{strings.Repeat("é", 40)}, ""},
		{hello{strings.Repeat("é", 41)}, "name must have at most 40 characters"},
		{hello{" \t"}, "name must not be blank"},
		{person{""}, "name must not be blank"},
		{shout{strings.Repeat("x", 281)}, "body must have at most 280 characters"},
		{shout{strings.Repeat("x", 280)}, ""},
		{dingMe{0}, ""},
		{dingMe{10_000}, ""},
		{dingMe{-1}, "after_ms must be between 0 and 10000"},
		{dingMe{10_001}, "after_ms must be between 0 and 10000"},
	}
	for _, tt := range tests {
		got := ""
		if err := tt.in.Validate(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%T: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestPing(t *testing.T) {
	c := dial(t, newServer(t))
	c.join("ping:lobby", `{}`)
	c.want("ping:lobby", "ping", `{}`, "ok", `{"ping":"pong"}`)
	c.want("ping:lobby", "hello", `{"name":"Ani"}`, "ok", `{"message":"Hello, Ani. The heron has heard you."}`)
	c.want("ping:lobby", "hello", `{"name":""}`, "error", `{"reason":"name must not be blank"}`)
	if status, _ := c.ask("ping:lobby", "hello", `{"name":7}`); status != "error" {
		t.Errorf("a name that is a number is answered with %s", status)
	}
	c.want("ping:lobby", "ping", `{}`, "ok", `{"ping":"pong"}`)
}

func TestDing(t *testing.T) {
	c := dial(t, newServer(t))
	c.join("ping:lobby", `{}`)
	for _, want := range []string{`{"n":1}`, `{"n":2}`} {
		c.want("ping:lobby", "ding_me", `{"after_ms":1}`, "ok", `{}`)
		if got := string(c.wait("ping:lobby", "ding").payload); got != want {
			t.Errorf("ding %s, want %s", got, want)
		}
	}
	c.want("ping:lobby", "ding_me", `{"after_ms":10000}`, "ok", `{}`)
	c.want("ping:lobby", "ding_me", `{"after_ms":1}`, "error", `{"reason":"one ding at a time"}`)
	// The ding under way must not hold up the leave, nor the end of this test.
	c.want("ping:lobby", "phx_leave", `{}`, "ok", `{}`)
}
