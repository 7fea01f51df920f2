package hello

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
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
	room := channeltest.Start(t, newEndpoint(t)).Connect(t, nil).Join(t, "ping:lobby", nil)
	room.Push(t, "ping", nil).ExpectReply(t, bennu.Raw(`{"ping":"pong"}`))
	room.Push(t, "hello", bennu.Raw(`{"name":"Ani"}`)).ExpectReply(t, bennu.Raw(`{"message":"Hello, Ani. The heron has heard you."}`))
	if err := room.Push(t, "hello", hello{""}).ExpectError(t); err.Reason != "name must not be blank" {
		t.Errorf("hello from nobody: %v", err)
	}
	if err := room.Push(t, "hello", map[string]int{"name": 7}).ExpectError(t); err.Reason != "invalid payload" {
		t.Errorf("hello from a number: %v", err)
	}
	room.Push(t, "ping", nil).ExpectReply(t, pong{"pong"})
}

// In the bubble of synctest ten seconds pass at once.
func TestDing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := channeltest.Start(t, newEndpoint(t)).Connect(t, nil).Join(t, "ping:lobby", nil)
		room.Push(t, "ding_me", bennu.Raw(`{"after_ms":10000}`)).ExpectOK(t)
		time.Sleep(9999 * time.Millisecond)
		room.ExpectNoPush(t, "ding")
		if err := room.Push(t, "ding_me", dingMe{1}).ExpectError(t); err.Reason != "one ding at a time" {
			t.Errorf("a second ding: %v", err)
		}
		time.Sleep(time.Millisecond)
		room.ExpectPush(t, "ding", bennu.Raw(`{"n":1}`))

		room.Push(t, "ding_me", dingMe{1}).ExpectOK(t)
		time.Sleep(time.Millisecond)
		room.ExpectPush(t, "ding", dingCount{2})

		// The ding under way must not hold up the leave, nor the end of this test.
		room.Push(t, "ding_me", dingMe{10_000}).ExpectOK(t)
		room.Leave(t)
	})
}
