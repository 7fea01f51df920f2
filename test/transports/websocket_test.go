// Package transports runs the suite of package transporttest for the transports of this module.
package transports

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/transporttest"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

func TestMain(m *testing.M) {
	waittest.Parallel(16) // they wait most of their time
	waittest.Main(m)
}

func TestWebSocket(t *testing.T) {
	transporttest.Run(t, func(testing.TB) *transporttest.Harness { return overWebSocket() })
}

func TestWebSocketParked(t *testing.T) {
	transporttest.Run(t, func(testing.TB) *transporttest.Harness {
		h := overWebSocket()
		h.NoEpoll = true
		return h
	})
}

func TestWebSocketTLS(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	server.Close()
	transporttest.Run(t, func(testing.TB) *transporttest.Harness {
		h := overWebSocket()
		h.TLS = server.TLS
		return h
	})
}

func overWebSocket() *transporttest.Harness {
	return &transporttest.Harness{
		New: func(o *transport.LinkOptions) transport.Transport {
			return websocket.New(&websocket.Options{
				MaxMessage: o.MaxMessage, IdleTimeout: o.IdleTimeout, WriteTimeout: o.WriteTimeout, CloseLinger: o.CloseLinger,
				MaxQueueBytes: o.MaxQueueBytes, MaxQueueMessages: o.MaxQueueMessages,
			})
		},
		Dial:   dialWebSocket,
		HTTP:   true,
		Binary: true, CloseCodes: true, Orderly: true, Stalls: true,
	}
}

// wsClient is a WebSocket client that takes nothing but in Receive.
type wsClient struct {
	nc  net.Conn
	in  *bufio.Reader
	sub string

	mu   sync.Mutex // held while writing
	code transport.CloseCode
}

func dialWebSocket(_ testing.TB, to transporttest.Target) (transporttest.Client, error) {
	u, err := url.Parse(to.URL)
	if err != nil {
		return nil, err
	}
	nc, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "https" {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	c := &wsClient{nc: nc, in: bufio.NewReader(nc)}
	if err := c.shake(u.Host, to); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

// shake makes the handshake.
func (c *wsClient) shake(host string, to transporttest.Target) error {
	head := "GET " + to.Path + "/websocket?" + to.RawQuery + " HTTP/1.1\r\nHost: " + host +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for name, values := range to.Header {
		if name == "X-Phoenix-Authtoken" {
			token := base64.RawStdEncoding.EncodeToString([]byte(values[0]))
			name, values = "Sec-WebSocket-Protocol", []string{"phoenix, base64url.bearer.phx." + token}
		}
		head += name + ": " + values[0] + "\r\n"
	}
	first := []byte(head + "\r\n")
	if to.First != nil {
		first = wstest.Text(string(to.First)).Append(first)
	}
	if _, err := c.nc.Write(first); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return &transporttest.Refused{Status: answer.StatusCode, Header: answer.Header}
	}
	c.sub = answer.Header.Get("Sec-WebSocket-Protocol")
	return nil
}

func (c *wsClient) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.nc.Write(b)
	return err
}

func (c *wsClient) Send(op wire.Opcode, data []byte) error {
	return c.write(wstest.Frame{Op: byte(op), Payload: data}.Append(nil))
}

func (c *wsClient) CutWithin(op wire.Opcode, data []byte) error {
	f := wstest.Frame{Op: byte(op), Payload: data}.Append(nil)
	err := c.write(f[:len(f)/2])
	c.Cut()
	return err
}

func (c *wsClient) Receive(ctx context.Context) (wire.Opcode, []byte, error) {
	defer context.AfterFunc(ctx, c.Cut)()
	for {
		f, err := wstest.ReadFrame(c.in)
		switch {
		case err != nil:
			return 0, nil, err
		case f.Op == wstest.OpClose:
			c.mu.Lock()
			c.code = transport.CloseCode(f.Code())
			c.mu.Unlock()
			return 0, nil, io.EOF
		case f.Op == wstest.OpPing:
			_ = c.write(wstest.Frame{Op: wstest.OpPong, Payload: f.Payload}.Append(nil))
		default:
			return wire.Opcode(f.Op), f.Payload, nil
		}
	}
}

func (c *wsClient) Close() {
	_ = c.write(wstest.CloseFrame(1000).Append(nil))
	_ = c.CloseWrite()
}

func (c *wsClient) CloseWrite() error {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.New("cannot close one side")
}

func (c *wsClient) Cut() {
	nc := c.nc
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	_ = nc.(*net.TCPConn).SetLinger(0)
	_ = nc.Close()
}

func (c *wsClient) Stall(bool) {}

func (c *wsClient) Code() (transport.CloseCode, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code, c.code != 0
}

func (c *wsClient) Subprotocol() string { return c.sub }
