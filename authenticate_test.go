package bennu_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/token"
	"github.com/bennu-go/bennu/transport"
)

type account struct {
	ID   int64
	Name string
}

// verifier makes the verify function and the Renew of an application that has tokens of
// package token.
func verifier(t *testing.T) (keys *token.Keys, verify func(context.Context, string) (account, time.Time, error)) {
	t.Helper()
	keys, err := token.New([]string{strings.Repeat("k", 64)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return keys, func(_ context.Context, text string) (account, time.Time, error) {
		claims, err := keys.Verify("user socket", text)
		data, err := token.As[token.Map](claims, err)
		if err != nil {
			return account{}, time.Time{}, err
		}
		id, _ := data.Get("id")
		name, _ := data.Get("name")
		who := account{}
		who.ID, _ = id.(int64)
		who.Name, _ = name.(string)
		return who, claims.ExpiresAt, nil
	}
}

func sign(t *testing.T, keys *token.Keys, salt string, opts ...token.Option) string {
	t.Helper()
	text, err := keys.Sign(salt, map[string]any{"id": 7, "name": "ada"}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// offer is how phoenix.js sends its authToken over WebSocket.
func offer(text string) string {
	return "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx." + strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(text)), "=")
}

// whoami is a channel that tells who is connected.
func whoami() bennu.ChannelHandler {
	return bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, account, error) {
		who, ok := bennu.Identity[account](ch.Socket())
		if _, other := bennu.Identity[string](ch.Socket()); !ok || other {
			return nil, account{}, errors.New("the identity is not what verify returned")
		}
		return &room{ch}, who, nil
	})
}

// TestAuthenticate connects with a token as phoenix.js sends it, over both transports.
func TestAuthenticate(t *testing.T) {
	keys, verify := verifier(t)
	users := one("*", whoami())
	users.Connect = bennu.Authenticate(verify)
	s := serve(t, users, &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true}, Transports: both}, nil)

	good := sign(t, keys, "user socket")
	c, answer := wstest.Open(t, s.url, offer(good))
	if c == nil || answer.Header.Get("Sec-Websocket-Protocol") != "phoenix" {
		t.Fatalf("answered %s, %v", answer.Status, answer.Header)
	}
	poll := wstest.DialLongPoll(t, s.polls(), "X-Phoenix-AuthToken: "+good)
	for _, c := range []*wstest.Client{c, poll} {
		ref := c.Push("a", "phx_join", "{}")
		c.Expect(wstest.Reply(ref, ref, "a", "ok", `{"ID":7,"Name":"ada"}`))
	}

	secret := "SFMyNTY.not-a-token.at-all"
	for name, text := range map[string]string{
		"expired":      sign(t, keys, "user socket", token.SignedAt(time.Now().Add(-time.Hour*48))),
		"other salt":   sign(t, keys, "user"),
		"altered":      good[:len(good)-4] + "AAAA",
		"not a token":  secret,
		"empty":        "",
		"of the other": strings.ToUpper(good),
	} {
		c, answer := wstest.Open(t, s.url, offer(text))
		if c != nil || answer.StatusCode != http.StatusForbidden || answer.ContentLength != 0 {
			t.Errorf("%s: answered %s", name, answer.Status)
		}
		if c, status := wstest.OpenLongPoll(t, s.polls(), "X-Phoenix-AuthToken: "+text); c != nil || status != http.StatusForbidden {
			t.Errorf("%s, long poll: %d", name, status)
		}
		if logged := s.log.all(); text != "" && strings.Contains(logged, text) {
			t.Errorf("%s: the log has it: %s", name, logged)
		}
	}
	// In the URL is not where a token belongs, and none is none.
	for _, query := range []string{"", "&token=" + good, "&auth_token=" + good, "&authToken=" + good} {
		if c, answer := wstest.Open(t, s.url+query); c != nil || answer.StatusCode != http.StatusForbidden {
			t.Errorf("without a token: %s", answer.Status)
		}
	}
	if c, status := wstest.OpenLongPoll(t, s.polls()); c != nil || status != http.StatusForbidden {
		t.Errorf("without a token, long poll: %d", status)
	}
	if c, answer := wstest.Open(t, s.url, "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.!"); c != nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("not base64: %s", answer.Status)
	}
	if logged := s.log.all(); strings.Contains(logged, good) || strings.Contains(logged, "ERROR") {
		t.Errorf("logged: %s", logged)
	}
}

// TestAuthenticateByParameter connects as phones and old versions of phoenix.js do. The log
// has no token.
func TestAuthenticateByParameter(t *testing.T) {
	keys, verify := verifier(t)
	good, other := sign(t, keys, "user socket"), sign(t, keys, "user socket", token.MaxAge(time.Hour))
	for _, param := range []string{"token", "user_token"} {
		users := one("*", whoami())
		connect := bennu.Authenticate(verify)
		users.Connect = func(ctx context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
			if _, ok := info.Params[param]; ok || strings.Contains(info.URI().String(), good) {
				t.Errorf("%s: Connect sees the token in %v", param, info.URI())
			}
			return connect(ctx, s, info)
		}
		s := serve(t, users, &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true, TokenParam: param}, Transports: both}, nil)
		query := "&" + param + "=" + good
		old := wstest.DialLongPoll(t, s.polls()+query)
		old.Conn().(*wstest.LongPoll).InQuery = true
		for _, c := range []*wstest.Client{
			old, wstest.Dial(t, s.url+query), wstest.DialLongPoll(t, s.polls()+query),
			wstest.Dial(t, s.url, offer(good)), wstest.DialLongPoll(t, s.polls(), "X-Phoenix-AuthToken: "+good),
			wstest.Dial(t, s.url+query, offer(good)), wstest.DialLongPoll(t, s.polls()+query, "X-Phoenix-AuthToken: "+good),
		} {
			ref := c.Push("a", "phx_join", "{}")
			c.Expect(wstest.Reply(ref, ref, "a", "ok", `{"ID":7,"Name":"ada"}`))
		}
		for name, refused := range map[string]struct{ query, header string }{
			"none": {}, "empty": {query: "&" + param + "="}, "bad": {query: query + "x"}, "list": {query: "&" + param + "[]=" + good},
			"three times": {query: query + query + query}, "another in the header": {query, other},
		} {
			ws, poll := []string{}, []string{}
			if refused.header != "" {
				ws, poll = []string{offer(refused.header)}, []string{"X-Phoenix-AuthToken: " + refused.header}
			}
			if c, answer := wstest.Open(t, s.url+refused.query, ws...); c != nil || answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s: answered %s", name, answer.Status)
			}
			if c, status := wstest.OpenLongPoll(t, s.polls()+refused.query, poll...); c != nil || status != http.StatusForbidden {
				t.Errorf("%s, long poll: %d", name, status)
			}
		}
		if logged := s.log.all(); strings.Contains(logged, good) || strings.Contains(logged, other) {
			t.Errorf("a token is in the log: %s", logged)
		}
	}
}

// TestAuthenticateSaysWhy holds the errors that a refusal has on the server's side.
func TestAuthenticateSaysWhy(t *testing.T) {
	verified := 0
	connect := bennu.Authenticate(func(context.Context, string) (int, time.Time, error) {
		verified++
		return 0, time.Time{}, errors.New("bad token: hush-hush")
	})
	for name, tc := range map[string]struct {
		checks transport.Checks
		line   string
		want   error
	}{
		"off":       {transport.Checks{}, offer("hush-hush"), refused.ErrTokenOff},
		"none":      {transport.Checks{AuthToken: true}, "", transport.ErrNoAuthToken},
		"empty":     {transport.Checks{AuthToken: true}, offer(""), refused.ErrTokenEmpty},
		"twice":     {transport.Checks{AuthToken: true}, offer("hush-hush") + ", " + strings.TrimPrefix(offer("x"), "Sec-WebSocket-Protocol: phoenix, "), refused.ErrTokenTwice},
		"elsewhere": {transport.Checks{AuthToken: true}, "Authorization: Bearer hush-hush", refused.ErrTokenElsewhere},
		"not good":  {transport.Checks{AuthToken: true}, offer("hush-hush"), bennu.ErrRefused},
	} {
		r := httptest.NewRequest(http.MethodGet, "/socket/websocket?vsn=2.0.0", nil)
		if header, value, ok := strings.Cut(tc.line, ": "); ok {
			r.Header.Set(header, value)
		}
		info, err := seam.Check(&tc.checks, r, nil, &seam.Manner{Transport: "websocket", Offers: true})
		if err != nil {
			t.Fatal(err)
		}
		err = connect(t.Context(), nil, info)
		if !errors.Is(err, tc.want) || !errors.Is(err, bennu.ErrRefused) || strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if verified != 1 {
		t.Errorf("verify was called %d times, want once", verified)
	}
}

// TestAuthenticateUnmounted forgets to turn AuthToken on: nobody gets in.
func TestAuthenticateUnmounted(t *testing.T) {
	keys, verify := verifier(t)
	users := one("*", whoami())
	users.Connect = bennu.Authenticate(verify)
	s := serve(t, users, overBoth, nil)
	good := sign(t, keys, "user socket")
	if c, answer := wstest.Open(t, s.url, offer(good)); c != nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("answered %s", answer.Status)
	}
	if c, status := wstest.OpenLongPoll(t, s.polls(), "X-Phoenix-AuthToken: "+good); c != nil || status != http.StatusForbidden {
		t.Errorf("long poll: %d", status)
	}
}

// TestAuthenticateFails has verify end otherwise. What it says may quote the token, and
// does not reach the log.
func TestAuthenticateFails(t *testing.T) {
	for name, tc := range map[string]struct {
		verify func(ctx context.Context, text string) (string, time.Time, error)
		status int
		limit  time.Duration // of Connect; 0 for the default
	}{
		"refuses": {func(_ context.Context, text string) (string, time.Time, error) {
			return "", time.Time{}, errors.New("bad: " + text)
		}, http.StatusForbidden, 0},
		"panics": {func(_ context.Context, text string) (string, time.Time, error) {
			panic("token=" + text)
		}, http.StatusInternalServerError, 0},
		"takes too long": {func(ctx context.Context, text string) (string, time.Time, error) {
			<-ctx.Done()
			return "", time.Time{}, errors.New("no answer for " + text)
		}, http.StatusServiceUnavailable, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			users := one("*", rooms())
			users.Connect = bennu.Authenticate(tc.verify)
			users.Limits.ConnectTimeout = tc.limit
			s := serve(t, users, &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true}, Transports: both}, nil)
			const text = "hush-hush"
			if c, answer := wstest.Open(t, s.url, offer(text)); c != nil || answer.StatusCode != tc.status {
				t.Errorf("answered %s", answer.Status)
			}
			if c, status := wstest.OpenLongPoll(t, s.polls(), "X-Phoenix-AuthToken: "+text); c != nil || status != tc.status {
				t.Errorf("long poll: %d", status)
			}
			if logged := s.log.all(); strings.Contains(logged, text) {
				t.Errorf("the token is in the log: %s", logged)
			}
		})
	}
}

// TestTokenLife connects with a token and lets it end: the client is warned, is not
// renewed for an old token, is for a good one, and in the end is thrown out.
func TestTokenLife(t *testing.T) {
	keys, verify := verifier(t)
	old := sign(t, keys, "user socket", token.MaxAge(time.Hour), token.SignedAt(time.Now().Add(-2*time.Hour)))
	d := rooms()
	bennu.On(d, "expire", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		r.Socket().ExpireAt(time.Now())
		return bennu.Empty{}, nil
	})
	for _, transportName := range []string{"websocket", "longpoll"} {
		t.Run(transportName, func(t *testing.T) {
			users := one("*", d)
			users.Connect = bennu.Authenticate(verify)
			users.ExpiryGrace = time.Minute
			renewed := make(chan *bennu.Socket, 1)
			users.Renew = func(ctx context.Context, s *bennu.Socket, text string) (time.Time, error) {
				who, expires, err := verify(ctx, text)
				if was, _ := bennu.Identity[account](s); err != nil || who != was {
					return time.Time{}, bennu.Errorf("unauthorized")
				}
				renewed <- s
				return expires, nil
			}
			s := serve(t, users, &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true}, Transports: both}, nil)
			good := sign(t, keys, "user socket", token.MaxAge(time.Hour))
			var c *wstest.Client
			if transportName == "websocket" {
				c = wstest.Dial(t, s.url, offer(good))
			} else {
				c = wstest.DialLongPoll(t, s.polls(), "X-Phoenix-AuthToken: "+good)
			}
			c.Join("a")
			c.Want("a", "expire", "{}", "ok", "{}")
			for _, topic := range []string{"phoenix", "a"} {
				if m := c.Event(topic, "token_expired"); !strings.HasPrefix(m.Payload, `{"closes_in":`) {
					t.Errorf("warned with %v", m)
				}
			}
			c.Want("a", "access_token", `{"access_token":"`+old+`"}`, "error", `{"reason":"unauthorized"}`)
			c.Want("phoenix", "access_token", `{"access_token":"`+good+`"}`, "ok", `{}`)
			c.Fence()
			// Its reply is out, so the end has nothing to do with a post.
			(<-renewed).ExpireAt(time.Now().Add(-time.Hour))
			switch code, _ := c.DrainToClose(); {
			case transportName == "websocket" && code != 1008, transportName == "longpoll" && code != 0:
				t.Errorf("closed with %d", code)
			}
			if logged := s.log.all(); strings.Contains(logged, old) || strings.Contains(logged, good) {
				t.Errorf("a token is in the log: %s", logged)
			}
		})
	}
}
