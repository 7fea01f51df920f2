package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/binframe"
	"github.com/bennu-go/bennu/wire"
)

func TestPushRepliesOfAnyStatus(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		ch := join(t, s, "room:a", nil)
		if r, err := ch.Push(t.Context(), "ok", nil); err != nil || r.Status != "ok" || string(r.Response.Data) != "{}" {
			t.Errorf("ok: %+v, %v", r, err)
		}
		for event, status := range map[string]string{"error": "error", "custom": "my_status"} {
			r, err := ch.Push(t.Context(), event, nil)
			var refused *client.ReplyError
			if !errors.As(err, &refused) || refused.Status != status || r.Status != status {
				t.Errorf("%s: %+v, %v", event, r, err)
			}
		}
		for _, payload := range []any{nil, "text", 1.5, []int{1, 2}, true, json.RawMessage(`{"raw": [1]}`), object{"<&>": "\u2028"}, strings.Repeat("x", 100_000)} {
			r, err := ch.Push(t.Context(), "echo", payload)
			want, _ := json.Marshal(payload)
			if payload == nil {
				want = []byte("{}")
			}
			var a, b any
			if err != nil || json.Unmarshal(r.Response.Data, &a) != nil || json.Unmarshal(want, &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("echo of %.100v: %.100s, %v", payload, r.Response.Data, err)
			}
		}
		if _, err := ch.Push(t.Context(), "echo", func() {}); err == nil {
			t.Error("a function was pushed")
		}
		if _, err := ch.Push(t.Context(), "echo", json.RawMessage(`{`)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("half a document was pushed: %v", err)
		}
	})
}

func TestOnlyTheFirstReplyIsSeen(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		ch := join(t, s, "room:a", nil)
		if got, err := client.Push[object](t.Context(), ch, "later", nil); err != nil || got["late"] != true {
			t.Errorf("first reply: %v, %v", got, err)
		}
		if _, err := ch.Push(t.Context(), "echo", nil); err != nil { // the second one has passed
			t.Error(err)
		}
	})
}

func TestPushTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(&client.Options{HeartbeatInterval: time.Hour})
		ch := s.Channel("a", nil)
		if _, err := ch.Push(t.Context(), "e", nil); err == nil || !strings.Contains(err.Error(), "join the channel") {
			t.Errorf("push before join: %v", err)
		}
		go c.acceptJoin("a")
		if _, err := ch.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		late := make(chan wire.Message, 1)
		go func() { late <- c.expect("a", "e") }()
		start := time.Now()
		if _, err := ch.Push(t.Context(), "e", nil); !errors.Is(err, client.ErrTimeout) || time.Since(start) != 10*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		c.reply(<-late, "ok", "{}") // ignored
		go func() { c.expect("a", "e") }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ch.Push(ctx, "e", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("push with a context: %v", err)
		}
	})
}

// Pushes to a channel that is not joined are sent in order after the join. Their timeouts
// begin with the call.
func TestPushBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(&client.Options{MaxBuffered: 3, HeartbeatInterval: time.Hour})
		ch := s.Channel("a", nil)
		go func() {
			if _, err := ch.Join(t.Context()); err != nil {
				t.Errorf("join: %v", err)
			}
		}()
		m := c.expect("a", "phx_join")
		results := make(chan error, 10)
		for i, ctx := range []context.Context{t.Context(), timeout(t, time.Second), t.Context()} {
			go func() {
				_, err := ch.Push(ctx, fmt.Sprint(i), nil)
				results <- err
			}()
			synctest.Wait()
		}
		if err := ch.Send("3", nil); !errors.Is(err, client.ErrBufferFull) {
			t.Errorf("a fourth message: %v", err)
		}
		time.Sleep(5 * time.Second)
		if err := <-results; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up: %v", err)
		}
		if err := ch.Send("3", nil); err != nil { // there is room again
			t.Error(err)
		}
		c.reply(m, "ok", "{}")
		var last string
		for _, want := range []string{"0", "2", "3"} {
			e := c.expect("a", want)
			if e.JoinRef != m.JoinRef || e.Ref == m.Ref || e.Ref.Text() == last {
				t.Errorf("push %+v", e)
			}
			last = e.Ref.Text()
			if want == "0" {
				c.reply(e, "ok", "{}")
			}
		}
		if err := <-results; err != nil {
			t.Error(err)
		}
		if err := <-results; !errors.Is(err, client.ErrTimeout) {
			t.Errorf("the third push: %v", err)
		}
	})
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestPushBufferBytesAndReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(&client.Options{MaxBufferedBytes: 100})
		go c.acceptJoin("a")
		ch := join(t, s, "a", nil)
		interrupted := make(chan error, 1)
		go func() {
			_, err := ch.Push(t.Context(), "sent", nil)
			interrupted <- err
		}()
		c.expect("a", "sent")
		p.setRefuse(refuseAll)
		c.cut()
		if err := <-interrupted; !errors.Is(err, client.ErrInterrupted) {
			t.Errorf("the push that was sent: %v", err)
		}
		if err := ch.Send("big", strings.Repeat("x", 99)); !errors.Is(err, client.ErrBufferFull) {
			t.Errorf("101 bytes: %v", err)
		}
		for i := range 3 {
			if err := ch.Send(fmt.Sprint(i), "x"); err != nil {
				t.Fatal(err)
			}
		}
		p.setRefuse(nil)
		c = p.accept()
		c.acceptJoin("a")
		for i := range 3 {
			c.expect("a", fmt.Sprint(i))
		}
	})
}

func TestUnmatchedReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		go c.acceptJoin("a")
		ch := join(t, s, "a", nil)
		go func() {
			m := c.expect("a", "e")
			other := m
			other.Ref = `"12345"`
			c.reply(other, "error", "{}")
			other = m
			other.JoinRef = `"777"`
			c.reply(other, "error", "{}")
			other = m
			other.Topic = "b"
			c.reply(other, "error", "{}")
			m.JoinRef = "" // null, as for "unmatched topic"
			c.reply(m, "ok", `[1]`)
		}()
		if got, err := client.Push[[]int](t.Context(), ch, "e", nil); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestBinary(t *testing.T) {
	run(t, []mode{wsV2}, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		ch := s.Channel("room:binreply", []byte{0, 1})
		got, err := client.Join[[]byte](t.Context(), ch)
		if err != nil || string(got) != "\x09\x08\x07" {
			t.Fatalf("join: %v, %v", got, err)
		}
		events := make(chan string, 2)
		client.On(ch, "binpush", func(b []byte) { events <- fmt.Sprint("push ", b) })
		client.On(ch, "binbc", func(b []byte) { events <- fmt.Sprint("broadcast ", b) })
		got, err = client.Push[[]byte](t.Context(), ch, "bin", []byte{0xff})
		if err != nil || string(got) != "\xff\x03\x04" {
			t.Errorf("push: %v, %v", got, err)
		}
		seen := map[string]bool{next(t, "an event", events): true, next(t, "an event", events): true}
		if !seen["push [0 1]"] || !seen["broadcast [5 6]"] {
			t.Errorf("events %v", seen)
		}
		if _, err := client.Push[object](t.Context(), ch, "binreply", nil); err == nil || !strings.Contains(err.Error(), "is bytes, not JSON") {
			t.Errorf("bytes as an object: %v", err)
		}
		if _, err := client.Push[[]byte](t.Context(), ch, "echo", nil); err == nil || !strings.Contains(err.Error(), "is JSON, not bytes") {
			t.Errorf("an object as bytes: %v", err)
		}
		var long *binframe.FieldError
		if _, err := ch.Push(t.Context(), strings.Repeat("e", 256), []byte{}); !errors.As(err, &long) {
			t.Errorf("a long event: %v", err)
		}
	})
}

// Over long polling the client can send bytes, but the server cannot.
func TestBinaryOverLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		polls := newPollServer()
		p.longPoll = polls.ServeHTTP
		s := lpV2.dial(t, peerURL, p.options(nil))
		ch := s.Channel("a", nil)
		go func() { _, _ = ch.Join(t.Context()) }()
		<-polls.posts
		polls.out <- []string{`["1","1","a","phx_reply",{"status":"ok","response":{}}]`}
		synctest.Wait()
		if err := ch.Send("e", []byte{0xff, 0}); err != nil {
			t.Fatal(err)
		}
		if got := <-polls.posts; got != "AAEBAQExMmFl/wA=" {
			t.Errorf("posted %q", got)
		}
	})
}

func TestVersion1HasNoBinary(t *testing.T) {
	run(t, []mode{wsV1, lpV1}, func(t *testing.T, m mode, url string) {
		ch := join(t, m.dial(t, url, nil), "room:a", nil)
		if _, err := ch.Push(t.Context(), "bin", []byte{1}); !errors.Is(err, wire.ErrNoBinary) {
			t.Errorf("error %v", err)
		}
	})
}

// Events that a channel cannot send or receive are refused by each function that takes an
// event. Nil payloads are sent as empty objects.
func TestEventsAndNilPayloads(t *testing.T) {
	url := startFixture(t)
	s := wsV2.dial(t, url, nil)
	ch := join(t, s, "room:a", object(nil))
	for _, event := range []string{"", "\xff", strings.Repeat("e", 256), "phx_join", "phx_leave", "phx_reply", "phx_close", "phx_error"} {
		if _, err := ch.Push(t.Context(), event, nil); err == nil || !strings.Contains(err.Error(), "event") {
			t.Errorf("Push of %.10q: %v", event, err)
		}
		if err := ch.Send(event, nil); err == nil || !strings.Contains(err.Error(), "event") {
			t.Errorf("Send of %.10q: %v", event, err)
		}
		for name, register := range map[string]func(){
			"On":     func() { ch.On(event, func(client.Message) {}) },
			"Events": func() { ch.Events(t.Context(), "x", event) },
		} {
			func() {
				defer func() {
					if text, _ := recover().(string); !strings.Contains(text, "OnClose") {
						t.Errorf("%s of %.10q: %q", name, event, text)
					}
				}()
				register()
			}()
		}
	}
	var pointer *struct{}
	for name, payload := range map[string]any{
		"map": object(nil), "pointer": pointer, "raw": json.RawMessage(nil), "payload": client.Payload{}, "pointer to a map": new(object),
	} {
		if r, err := ch.Push(t.Context(), "echo", payload); err != nil || string(r.Response.Data) != "{}" {
			t.Errorf("echo of a nil %s: %s, %v", name, r.Response.Data, err)
		}
	}
	for want, payload := range map[string]any{"[]": []int(nil), "null": json.RawMessage("null")} {
		if r, err := ch.Push(t.Context(), "echo", payload); err != nil || string(r.Response.Data) != want {
			t.Errorf("echo: %s, %v, want %s", r.Response.Data, err, want)
		}
	}
}
