package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/waittest"
)

// patience bounds the wait for an event that must come. It does not test how long that takes.
const patience = waittest.Patience

// try runs the command and returns what it printed and its exit code.
func try(ctx context.Context, args ...string) (out, errOut string, code int) {
	var stdout, stderr strings.Builder
	root := cli.Root(strings.NewReader(""), &stdout, &stderr, Command())
	code = cli.Run(ctx, root, append([]string{"bench"}, args...))
	return stdout.String(), stderr.String(), code
}

// tryJSON runs the command with --json, which must print exactly one object.
func tryJSON(t *testing.T, args ...string) (r Report, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	out, errOut, code := try(ctx, append([]string{"--json", "--settle", "0s", "--timeout", "30s"}, args...)...)
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v in %q; stderr %q", err, out, errOut)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("there is more than one object in %q", out)
	}
	return r, code
}

// serveEndpoint serves until the test ends and returns the URL.
func serveEndpoint(t *testing.T, endpoint *bennu.Endpoint) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, endpoint, ln)
}

func serveOn(t *testing.T, endpoint *bennu.Endpoint, ln net.Listener) string {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- endpoint.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return "ws://" + ln.Addr().String() + "/socket"
}

// narrow is a listener whose connections have small buffers in the kernel, so that a client that does
// not read is noticed soon.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(8 << 10)
	}
	return c, err
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serveRaw calls handle for each connection, with its number, and closes it after that.
func serveRaw(t *testing.T, handle func(n int, c net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				defer func() {
					c.Close()
					mu.Lock()
					delete(open, c)
					mu.Unlock()
				}()
				handle(n, c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "ws://" + ln.Addr().String() + "/socket"
}

// answerHTTP reads a request and writes the answer.
func answerHTTP(c net.Conn, answer string) {
	if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		_, _ = io.WriteString(c, answer)
	}
}

// pushed is a message of a client.
type pushed struct {
	joinRef, ref, topic, event string
	payload                    json.RawMessage
}

// serveMessages upgrades each connection and calls handle for each message; it stops
// when that returns false.
func serveMessages(t *testing.T, handle func(conn int, c net.Conn, m pushed) bool) string {
	t.Helper()
	return serveRaw(t, func(n int, c net.Conn) {
		serveSocket(c, func(m pushed) bool { return handle(n, c, m) })
	})
}

func serveSocket(c net.Conn, handle func(m pushed) bool) {
	if _, err := ws.Upgrade(c); err != nil {
		return
	}
	for {
		text, op, err := wsutil.ReadClientData(c)
		if err != nil || op != ws.OpText {
			return
		}
		var m pushed
		var joinRef *string
		if json.Unmarshal(text, &[]any{&joinRef, &m.ref, &m.topic, &m.event, &m.payload}) != nil {
			return
		}
		if joinRef != nil {
			m.joinRef = *joinRef
		}
		if !handle(m) {
			return
		}
	}
}

func sendText(c net.Conn, format string, args ...any) {
	_ = wsutil.WriteServerText(c, fmt.Appendf(nil, format, args...)) // reading notices a client that has gone
}

// answer replies to a push with its payload.
func answer(c net.Conn, m pushed, status string) {
	sendText(c, `[%q,%q,%q,"phx_reply",{"status":%q,"response":%s}]`, m.joinRef, m.ref, m.topic, status, m.payload)
}

// cast sends a broadcast to one client.
func cast(c net.Conn, m pushed) { sendText(c, `[null,null,%q,"said",%s]`, m.topic, m.payload) }
