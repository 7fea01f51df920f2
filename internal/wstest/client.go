// Package wstest is the other end of a WebSocket for tests: a client made by hand
// on a net.Conn, that can also send what no client should, and helpers for the
// messages of version 2 of the protocol.
//
// A Client belongs to one goroutine, the one that runs its test: what goes wrong
// ends that test, with what did arrive. Tests that need many at once run them in
// parallel subtests.
package wstest

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// Patience bounds every wait for what must come. It is no measure of speed.
const Patience = waittest.Patience

// Client is one connection.
type Client struct {
	tb testing.TB
	nc net.Conn
	br *bufio.Reader

	refs     int
	joinRefs map[string]string // by topic, as JSON
	kept     []Message         // read, and not yet asked for
	recent   []string          // the last frames that came, for failure messages
}

// The key of the handshake and what a server must make of it.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	secret = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// Dial connects to a URL such as "ws://127.0.0.1:4000/socket/websocket?vsn=2.0.0",
// with further lines for the header, each "Name: value". The connection is
// closed at the end of the test.
func Dial(tb testing.TB, rawURL string, lines ...string) *Client {
	tb.Helper()
	c, answer := Open(tb, rawURL, lines...)
	if c == nil {
		body, _ := io.ReadAll(answer.Body)
		tb.Fatalf("dial %s: status %s, %q", rawURL, answer.Status, body)
	}
	return c
}

// Open is Dial for a server that may refuse: the Client is nil then. The body of
// the answer is read already.
func Open(tb testing.TB, rawURL string, lines ...string) (*Client, *http.Response) {
	tb.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		tb.Fatal(err)
	}
	nc, err := net.DialTimeout("tcp", u.Host, Patience)
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	c := &Client{tb: tb, nc: nc, br: bufio.NewReader(nc), joinRefs: map[string]string{}}
	tb.Cleanup(c.Abort)
	c.Write([]byte("GET " + u.RequestURI() + " HTTP/1.1\r\n" + strings.Join(append([]string{
		"Host: " + u.Host, "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key,
	}, lines...), "\r\n") + "\r\n\r\n"))
	_ = nc.SetReadDeadline(time.Now().Add(Patience))
	answer, err := http.ReadResponse(c.br, nil)
	if err != nil {
		tb.Fatalf("answer to the handshake: %v", err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, maxFrame))
		answer.Body = io.NopCloser(bytes.NewReader(body))
		c.Abort()
		return nil, answer
	}
	sum := sha1.Sum([]byte(secret))
	if got, want := answer.Header.Get("Sec-Websocket-Accept"), base64.StdEncoding.EncodeToString(sum[:]); got != want {
		tb.Fatalf("Sec-WebSocket-Accept is %q, want %q", got, want)
	}
	return c, answer
}

// Conn is the connection below, to set its buffers or cut it.
func (c *Client) Conn() net.Conn { return c.nc }

// Abort closes the connection without a close frame.
func (c *Client) Abort() { _ = c.nc.Close() }

// Write sends bytes as they are.
func (c *Client) Write(b []byte) {
	c.tb.Helper()
	_ = c.nc.SetWriteDeadline(time.Now().Add(Patience))
	if _, err := c.nc.Write(b); err != nil {
		c.tb.Fatalf("write: %v%s", err, c.history())
	}
}

// Send sends frames with one write, so that as a rule they arrive together.
func (c *Client) Send(frames ...Frame) {
	c.tb.Helper()
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	c.Write(b)
}

// TrySend is Send on a connection that may have ended: it reports whether the frames are
// on their way.
func (c *Client) TrySend(frames ...Frame) bool {
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(Patience))
	_, err := c.nc.Write(b)
	return err == nil
}

// Next is the next frame. It must come within Patience.
func (c *Client) Next() Frame {
	c.tb.Helper()
	return c.nextBy(time.Now().Add(Patience))
}

func (c *Client) nextBy(deadline time.Time) Frame {
	c.tb.Helper()
	f, err := c.next(deadline)
	if err != nil {
		c.tb.Fatalf("read: %v%s", err, c.history())
	}
	return f
}

// next takes a deadline and not a time from now on: pings come for as long as one waits, and
// must not make a wait for something else endless.
func (c *Client) next(deadline time.Time) (Frame, error) {
	_ = c.nc.SetReadDeadline(deadline)
	f, err := ReadFrame(c.br)
	if err == nil {
		c.remember(f)
	}
	return f, err
}

// answer answers a ping, which comes when the test has said nothing for long.
func (c *Client) answer(ping Frame) {
	c.tb.Helper()
	c.Send(Frame{Op: OpPong, Payload: ping.Payload})
}

// remembered is how many frames a failure shows.
const remembered = 20

func (c *Client) remember(f Frame) {
	if len(c.recent) == remembered {
		c.recent = append(c.recent[:0], c.recent[1:]...)
	}
	c.recent = append(c.recent, f.String())
}

// history is what came last, to stand at the end of a failure message.
func (c *Client) history() string {
	if len(c.recent) == 0 {
		return "\nnothing was received before"
	}
	return fmt.Sprintf("\nthe last %d frames received:\n\t%s", len(c.recent), strings.Join(c.recent, "\n\t"))
}

// ExpectFrame wants a frame as the next one.
func (c *Client) ExpectFrame(want Frame) {
	c.tb.Helper()
	if got := c.Next(); got.Op != want.Op || !bytes.Equal(got.Payload, want.Payload) {
		c.tb.Fatalf("got  %v\nwant %v%s", got, want, c.history())
	}
}

// ExpectClose wants a close frame with the code as the next frame, then the
// proper end of the connection.
func (c *Client) ExpectClose(code int) {
	c.tb.Helper()
	for _, m := range c.kept {
		c.tb.Fatalf("got %v, want close %d%s", m, code, c.history())
	}
	if f := c.Next(); f.Code() != code || f.Op != OpClose {
		c.tb.Fatalf("got %v, want close %d%s", f, code, c.history())
	}
	if f, err := c.next(time.Now().Add(Patience)); !errors.Is(err, io.EOF) {
		c.tb.Fatalf("after close %d: %v, %v; want EOF", code, f, err)
	}
}

// DrainToClose reads on until the connection is closed with a frame, and returns its code and
// the messages before it. A connection that ends without one has code 0.
func (c *Client) DrainToClose() (code int, before []Message) {
	c.tb.Helper()
	before, c.kept = c.kept, nil
	for {
		m, code, ok := c.readOrEnd()
		if !ok {
			return code, before
		}
		before = append(before, m)
	}
}

// TryMessage is Message on a connection that may have ended: ok is false then.
func (c *Client) TryMessage() (m Message, ok bool) {
	c.tb.Helper()
	if len(c.kept) > 0 {
		return c.Message(), true
	}
	m, _, ok = c.readOrEnd()
	return m, ok
}

// readOrEnd is the next message, or the code that the connection ended with.
func (c *Client) readOrEnd() (m Message, code int, ok bool) {
	c.tb.Helper()
	for deadline := time.Now().Add(Patience); ; {
		f, err := c.next(deadline)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			c.tb.Fatalf("neither a message nor the end of the connection came%s", c.history())
		case err != nil:
			return Message{}, 0, false
		case f.Op == OpClose:
			return Message{}, f.Code(), false
		case f.Op == OpText:
			return c.parse(f), 0, true
		}
	}
}
