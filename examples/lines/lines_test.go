package lines_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/examples/lines"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/transporttest"
	"github.com/bennu-go/bennu/wire"
)

func TestMain(m *testing.M) {
	waittest.Parallel(16) // they wait most of their time
	waittest.Main(m)
}

func TestTransport(t *testing.T) {
	transporttest.Run(t, func(t testing.TB) *transporttest.Harness {
		ln := listen(t)
		return &transporttest.Harness{
			New: func(o *transport.LinkOptions) transport.Transport { return lines.New(ln, o) },
			Dial: func(_ testing.TB, to transporttest.Target) (transporttest.Client, error) {
				return dial(ln.Addr().String(), to.RawQuery, to.First)
			},
			Silent: func(testing.TB) (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) },
			Binary: true, CloseCodes: true, Orderly: true, Stalls: true,
			Except: map[string]string{"open/token": "its clients have no token beside their parameters"},
		}
	})
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// client is a device.
type client struct {
	nc *net.TCPConn
	in *bufio.Reader

	mu   sync.Mutex
	code transport.CloseCode
}

func dial(addr, query string, first []byte) (*client, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{nc: nc.(*net.TCPConn), in: bufio.NewReader(nc)}
	hello := query + "\n"
	if first != nil {
		hello += string(first) + "\n"
	}
	if _, err := io.WriteString(nc, hello); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	switch answer, err := c.in.ReadString('\n'); {
	case err != nil:
		return nil, errors.Join(err, nc.Close())
	case answer != "ok\n":
		return nil, errors.Join(&transporttest.Refused{}, nc.Close())
	}
	return c, nil
}

func line(op wire.Opcode, data []byte) []byte {
	if op == wire.Binary {
		data = base64.StdEncoding.AppendEncode(nil, data)
	}
	return append(bytes.Clone(data), '\n')
}

func (c *client) Send(op wire.Opcode, data []byte) error {
	_, err := c.nc.Write(line(op, data))
	return err
}

func (c *client) CutWithin(op wire.Opcode, data []byte) error {
	whole := line(op, data)
	_, err := c.nc.Write(whole[:len(whole)/2])
	c.Cut()
	return err
}

func (c *client) Receive(ctx context.Context) (wire.Opcode, []byte, error) {
	defer context.AfterFunc(ctx, c.Cut)()
	text, err := c.in.ReadString('\n')
	if err != nil {
		return 0, nil, err
	}
	text = strings.TrimSuffix(text, "\n")
	if code, ok := strings.CutPrefix(text, "close "); ok {
		n, err := strconv.Atoi(code)
		c.mu.Lock()
		c.code = transport.CloseCode(n)
		c.mu.Unlock()
		return 0, nil, errors.Join(io.EOF, err)
	}
	if text != "" && strings.Contains("[{", text[:1]) {
		return wire.Text, []byte(text), nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	return wire.Binary, data, err
}

func (c *client) Close()            { _ = c.nc.CloseWrite() }
func (c *client) CloseWrite() error { return c.nc.CloseWrite() }
func (c *client) Cut()              { _ = c.nc.SetLinger(0); _ = c.nc.Close() }
func (c *client) Stall(bool)        {} // it takes nothing but in Receive

func (c *client) Code() (transport.CloseCode, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code, c.code != 0
}

// A device joins a channel and pushes over TCP.
func TestDevice(t *testing.T) {
	type pong struct {
		Pong int `json:"pong"`
	}
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*struct{ *bennu.Channel }, bennu.Empty, error) {
		return &struct{ *bennu.Channel }{ch}, bennu.Empty{}, nil
	})
	bennu.On(d, "ping", func(_ *struct{ *bennu.Channel }, _ context.Context, n int) (pong, error) { return pong{n}, nil })
	var devices bennu.SocketHandler
	devices.Channel("device:*", d)
	ln := listen(t)
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
	e.Socket("/devices", &devices, &bennu.SocketOptions{Transports: []transport.Transport{lines.New(ln, nil)}})

	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	in := bufio.NewScanner(nc)
	ask := func(line, want string) {
		t.Helper()
		if _, err := io.WriteString(nc, line); err != nil {
			t.Fatal(err)
		}
		if !in.Scan() || in.Text() != want {
			t.Fatalf("after %q got %q, want %q; %v", line, in.Text(), want, in.Err())
		}
	}
	ask("vsn=2.0.0\n", "ok")
	ask(`["1","1","device:7","phx_join",{}]`+"\n", `["1","1","device:7","phx_reply",{"response":{},"status":"ok"}]`)
	ask(`["1","2","device:7","ping",5]`+"\n", `["1","2","device:7","phx_reply",{"response":{"pong":5},"status":"ok"}]`)
	go func() { _ = e.Shutdown(context.Background()) }()
	ask("", "close 1012")
	if in.Scan() {
		t.Errorf("got %q after the close", in.Text())
	}
	_ = nc.Close()
	if err := e.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}
