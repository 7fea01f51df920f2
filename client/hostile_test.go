package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/wire"
)

// If a server sends something that is not a message, the client closes the connection. It connects
// again with the delays of the table, even though each connection opens and each join is answered.
func TestGarbage(t *testing.T) {
	for name, data := range map[string]string{
		"empty":         "",
		"no JSON":       "hello",
		"object":        "{}",
		"short":         `["1","2"]`,
		"reply":         `["1","1","a","phx_reply",[]]`,
		"status":        `["1","1","a","phx_reply",{"status":7}]`,
		"deep":          `[null,null,"a","e",` + strings.Repeat("[", 10_000),
		"binary":        "\x00\x09",
		"binary kind":   "\x07\x01\x01ae",
		"too big":       `[null,null,"a","e","` + strings.Repeat("x", 2_000_000) + `"]`,
		"bad UTF-8":     "[null,null,\"a\",\"\xff\",{}]",
		"long ref":      `[null,"` + strings.Repeat("1", 2000) + `","a","e",{}]`,
		"binary, empty": "\x01",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				closes := make(chan client.Closed, 1000)
				s := wsV2.connect(t, peerURL, p.options(&client.Options{MaxMessage: 1_000_000, Trace: &client.Trace{
					Closed: func(c client.Closed) { closes <- c },
				}}))
				ch := s.Channel("a", nil)
				go func() { _, _ = ch.Join(context.Background()) }()
				end := time.After(time.Minute)
				n := 0
				for done := false; !done; {
					select {
					case <-end:
						done = true
					case c := <-p.conns:
						n++
						c.acceptJoin("a")
						kind := websocket.MessageText
						if strings.HasPrefix(name, "binary") {
							kind = websocket.MessageBinary
						}
						_ = c.ws.Write(context.Background(), kind, []byte(data))
						_, _ = c.read()
						c.cut()
						if got := <-closes; !errors.Is(got.Err, client.ErrProtocol) || !got.Retry {
							t.Errorf("closed %+v", got)
						}
					}
				}
				if n < 10 || n > 40 {
					t.Errorf("%d connections in a minute", n)
				}
				closeSocket(t, s)
			})
		})
	}
}

// Unusual refs and topics that the protocol allows are not malformed messages.
func TestOddMessagesAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 10)
		ch, c, _ := joined(t, nil, func(ch *client.Channel) {
			ch.On("e", func(m client.Message) { got <- m.Ref })
		})
		for _, text := range []string{
			`[1,2,3,4,5]`, `[null,null,null,null,null]`, `[{},[],"a","e",{}]`, `[null,null,"a","phx_reply",{"status":"ok"}]`,
			`["x","x","a","phx_error",null]`, `[null,"1","nobody","phx_reply",{"status":"","response":7}]`, ` [ null , 7 , "a" , "e" , {} , 6 ] `,
		} {
			c.send(text)
		}
		if ref := <-got; ref != "7" {
			t.Errorf("ref %q", ref)
		}
		m := c.join(ch)
		m.Ref = wire.Ref(m.Ref.Text()) // a number where a string was sent
		c.reply(m, "ok", "{}")
		synctest.Wait()
		if ch.State() != client.StateJoined {
			t.Errorf("state %v", ch.State())
		}
	})
}

// Arbitrary bytes in place of the answer to the handshake, and incomplete frames after it.
func TestBrokenServers(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	for name, answer := range map[string]string{
		"hangs up":       "",
		"garbage":        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"no accept key":  switching + "\r\n",
		"wrong key":      switching + "Sec-WebSocket-Accept: AAAA\r\n\r\n",
		"200":            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"500":            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nouch!",
		"endless header": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					n++
					go func() {
						defer far.Close()
						buf := make([]byte, 4096)
						_, _ = far.Read(buf)
						_, _ = far.Write([]byte(answer))
					}()
					return near, nil
				}}
				defer transport.CloseIdleConnections()
				_, err := client.Dial(t.Context(), peerURL, &client.Options{HTTPClient: &http.Client{Transport: transport}})
				if err == nil || !strings.Contains(err.Error(), "connecting by websocket") {
					t.Errorf("error %v", err)
				}
				n = 0
				s, err := client.New(peerURL, &client.Options{HTTPClient: &http.Client{Transport: transport}})
				if err != nil {
					t.Fatal(err)
				}
				s.Connect()
				time.Sleep(time.Minute)
				closeSocket(t, s)
				if n < 10 || n > 40 {
					t.Errorf("%d connections in a minute", n)
				}
			})
		})
	}
}

func TestHalfFrames(t *testing.T) {
	for name, data := range map[string]string{
		"half a header":    "\x81",
		"half a message":   "\x81\x7e\x10\x00[null",
		"reserved bits":    "\xf1\x01x",
		"masked":           "\x81\x81abcdx",
		"unknown opcode":   "\x83\x01x",
		"huge":             "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
		"negative":         "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
		"long control":     "\x89\x7e\x00\xff" + strings.Repeat("x", 255),
		"continuation":     "\x80\x01x",
		"half a close":     "\x88\x01x",
		"close with 1005":  "\x88\x02\x03\xed",
		"unfinished close": "\x88\x7d\x03\xe8",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				raw := make(chan net.Conn, 1000)
				p.setRefuse(func(w http.ResponseWriter, r *http.Request) bool {
					ws := websocketKey(r)
					conn, _, err := w.(http.Hijacker).Hijack()
					if err != nil {
						return true
					}
					_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", ws)
					raw <- conn
					return true
				})
				s := wsV2.connect(t, peerURL, p.options(nil))
				end := time.After(time.Minute)
				n := 0
				for done := false; !done; {
					select {
					case <-end:
						done = true
					case c := <-raw:
						n++
						go func() {
							_, _ = c.Write([]byte(data))
							_ = c.Close()
						}()
					}
				}
				if n < 10 || n > 40 {
					t.Errorf("%d connections in a minute", n)
				}
				if s.Err() != nil {
					t.Error(s.Err())
				}
			})
		})
	}
}

func TestDialReturnsWhenAFunctionEndsItsGoroutine(t *testing.T) {
	_, err := client.Dial(t.Context(), peerURL, &client.Options{
		Logger:     slog.New(slog.DiscardHandler),
		ParamsFunc: func(context.Context) (map[string]any, error) { runtime.Goexit(); return nil, nil },
	})
	if !errors.Is(err, client.ErrClosed) {
		t.Errorf("Dial: %v", err)
	}
}
