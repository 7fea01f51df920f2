//go:build linux || darwin

package connect

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/bennu-go/bennu/internal/proctest"
)

// evil has sequences that would clear the terminal, change its title, ring, and show text from right
// to left.
const evil = "\x1b[2J\x1b]0;owned\x07\x9b2J\u009b2J\u202e"

// TestHostileServer lets a server send evil in every place that is shown. No byte of it may reach the
// terminal.
func TestHostileServer(t *testing.T) {
	bennu := proctest.Build(t, "github.com/bennu-go/bennu/cmd/bennu", "-tags=nobrokers")
	text := strings.ToValidUTF8(evil, "") // what JSON can hold, with the escapes that it wants
	quoted := strings.NewReplacer("\x1b", `\u001b`, "\x07", `\u0007`).Replace(text)
	script := func(send func(string)) {
		send(`["1","1","room:lobby","phx_reply",{"status":"ok","response":{"x":"` + quoted + `"}}]`)
		send(`[null,null,"room:lobby","evil` + quoted + `",{"body":"` + quoted + `","` + quoted + `":1}]`)
		send(`[null,null,"room:lobby","` + text[len("\x1b[2J\x1b]0;owned\x07"):] + `",{}]`)
		send(`["1","2","room:lobby","phx_reply",{"status":"` + quoted + `","response":{"reason":"` + quoted + `"}}]`)
		send(`[null,null,"` + quoted + `","x",{}]`)
		send(`[null,null,["` + quoted + `"],"x",{}]`)
		send(`["1",null,"room:lobby","presence_state",{"` + quoted + `":{"metas":[{"phx_ref":"1","x":"` + quoted + `"}]}}]`)
		send(`[null,null,"room:lobby","presence_diff",{"joins":{"a` + quoted + `":{"metas":[{"phx_ref":"2"}]}},"leaves":{"b` + quoted + `":{"metas":[]}}}]`)
		send(`["1","1","room:lobby","phx_error",{"reason":"` + quoted + `"}]`)
		send(`[null,null,"room:lobby","last",{}]`)
	}
	serve := func(t *testing.T, f http.HandlerFunc) string {
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		return "ws" + strings.TrimPrefix(server.URL, "http") + "/socket"
	}
	harmless := func(t *testing.T, y *typist) {
		t.Helper()
		y.keys("\x15topics\rwho\rquit\r")
		y.ends()
		for _, bad := range []string{"\x1b[2J", "\x1b]", "\x07", "\x9b2J", "\u009b", "\u202e"} {
			if strings.Contains(y.screen.written(), bad) {
				t.Errorf("%q is on the terminal", bad)
			}
		}
	}

	for _, form := range [][]string{nil, {"--full"}, {"--raw"}, {"--all"}} {
		t.Run("messages "+strings.Join(form, ""), func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer c.CloseNow()
				ctx := context.Background()
				if _, _, err = c.Read(ctx); err != nil { // the join, with the ref 1
					return
				}
				script(func(s string) { err = c.Write(ctx, websocket.MessageText, []byte(s)) })
				_, _, _ = c.Read(ctx) // until the client goes
			})
			y := startTypist(t, bennu, nil, append([]string{"connect", url, "--topic", "room:lobby"}, form...)...)
			y.shows("last")
			y.enter("who", "2 users")
			harmless(t, y)
		})
	}

	frames := map[string]func(c *websocket.Conn) error{
		"what is no message": func(c *websocket.Conn) error {
			return c.Write(context.Background(), websocket.MessageText, []byte("[1,2,\""+text))
		},
		"bytes": func(c *websocket.Conn) error {
			return c.Write(context.Background(), websocket.MessageBinary, []byte("\x02\x04\x04"+text[:4]+text[:4]+evil))
		},
		"bytes that are no message": func(c *websocket.Conn) error {
			return c.Write(context.Background(), websocket.MessageBinary, []byte("\x09"+evil))
		},
		"the reason of a close": func(c *websocket.Conn) error { return c.Close(4001, text) },
	}
	for name, act := range frames {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer c.CloseNow()
				if act(c) == nil {
					_, _, _ = c.Read(context.Background())
				}
			})
			y := startTypist(t, bennu, nil, "connect", url)
			y.until("something", func(text string) bool {
				return strings.Contains(text, "connection lost") || strings.Contains(text, "bytes")
			})
			harmless(t, y)
		})
	}

	// If the server closes with a code against reconnecting, only the user connects again.
	t.Run("the end", func(t *testing.T) {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if c, err := websocket.Accept(w, r, nil); err == nil {
				_ = c.Close(websocket.StatusNormalClosure, text) // the client may be gone
			}
		})
		y := startTypist(t, bennu, nil, "connect", url)
		y.shows("connection lost; reconnect makes another: closed with code 1000, done")
		y.enter("join room:lobby", "there is no connection: reconnect makes one")
		y.enter("reconnect", "connection lost; reconnect")
		harmless(t, y)
	})

	t.Run("a refusal", func(t *testing.T) {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "HTTP/1.1 403 %s\r\nX-%s: %s\r\nContent-Length: 20\r\n\r\n%s", evil, evil, evil, evil)
		})
		y := startTypist(t, bennu, nil, "connect", url)
		y.shows("cannot connect")
		harmless(t, y)
	})
}
