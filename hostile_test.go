package bennu_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// What hostile clients can do before and around the protocol. Each test has an
// honest client beside it, which must notice nothing.

// listen serves an endpoint with an echo channel the way the README says, and
// shuts it down at the end of the test.
func listen(t *testing.T, options *bennu.EndpointOptions) (addr string) {
	t.Helper()
	d := bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (struct{}, bennu.Empty, error) {
		return struct{}{}, bennu.Empty{}, nil
	})
	bennu.On(d, "echo", func(_ struct{}, _ context.Context, in bennu.Raw) (bennu.Raw, error) { return in, nil })
	var users bennu.SocketHandler
	users.Channel("echo:*", d)
	options.Logger, options.DrainTime = slog.New(slog.DiscardHandler), bennu.Unlimited
	e := bennu.NewEndpoint(options)
	e.Socket("/socket", &users, nil)
	return servetest.Serve(t, e.Serve)
}

// upgrade opens a raw connection up to the end of the handshake.
func upgrade(addr string) (net.Conn, *bufio.Reader, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	_ = c.SetDeadline(time.Now().Add(waittest.Patience))
	fmt.Fprintf(c, "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n", addr)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("handshake answered with %s", resp.Status)
	}
	return c, r, err
}

// readFrame reads one short unmasked frame.
func readFrame(r *bufio.Reader) (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, head[1])
	_, err = io.ReadFull(r, payload)
	return head[0] & 15, payload, err
}

func textFrame(s string) []byte {
	return append([]byte{0x81, 0x80 | byte(len(s)), 0, 0, 0, 0}, s...)
}

// honest echoes until the test ends, and fails it when an echo does not come back.
func honest(t *testing.T, addr string) {
	t.Helper()
	c, r, err := upgrade(addr)
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(message, want string) error {
		_ = c.SetDeadline(time.Now().Add(waittest.Patience))
		if _, err := c.Write(textFrame(message)); err != nil {
			return err
		}
		_, got, err := readFrame(r)
		if err == nil && string(got) != want {
			err = fmt.Errorf("got %q, want %q", got, want)
		}
		return err
	}
	if err := exchange(`["1","1","echo:me","phx_join",{}]`, `["1","1","echo:me","phx_reply",{"response":{},"status":"ok"}]`); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var done sync.WaitGroup
	echoes := 0
	done.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			message := fmt.Sprintf(`["1","%d","echo:me","echo",{}]`, echoes)
			want := fmt.Sprintf(`["1","%d","echo:me","phx_reply",{"response":{},"status":"ok"}]`, echoes)
			if err := exchange(message, want); err != nil {
				t.Errorf("the honest client's echo %d: %v", echoes, err)
				return
			}
			echoes++
			time.Sleep(time.Millisecond) // leaves the machine to the others
		}
	})
	t.Cleanup(func() {
		close(stop)
		done.Wait()
		_ = c.Close()
		t.Logf("%d honest echoes meanwhile", echoes)
	})
}

func TestHalfHeadersAreCutOff(t *testing.T) {
	addr := listen(t, &bennu.EndpointOptions{})
	honest(t, addr)
	before := heaptest.Live()
	half := "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: " + addr + "\r\nX-Half: " + strings.Repeat("h", 16<<10)
	conns := make([]net.Conn, 500)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(waittest.Patience))
		if _, err := io.WriteString(c, half); err != nil {
			t.Fatal(err)
		}
		conns[i] = c
	}
	const each = 64 << 10
	if after := heaptest.Live(); after-before > len(conns)*each {
		t.Errorf("500 half headers hold %d KiB", (after-before)>>10)
	}
	for i, c := range conns {
		// The server may send a status; what counts is that it ends the connection.
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatalf("connection %d is still open", i)
		}
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

func TestHeadersTooLargeAreRefused(t *testing.T) {
	addr := listen(t, &bennu.EndpointOptions{})
	for name, header := range map[string]string{
		"one line":   "X-Large: " + strings.Repeat("h", 1<<20) + "\r\n",
		"many lines": strings.Repeat("X-Many: 1\r\n", 10_000),
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(waittest.Patience))
		go io.WriteString(c, "GET /socket/websocket HTTP/1.1\r\nHost: h\r\n"+header+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: answered %v, %v; want 431", name, resp, err)
		}
		_ = c.Close()
	}
}

// TestLargeHeadersAreSaid has requests that are too large for the endpoint, and not for its Server.
func TestLargeHeadersAreSaid(t *testing.T) {
	e, _ := unserved(t)
	hs := httptest.NewUnstartedServer(nil)
	hs.Config = e.Server()
	hs.Start()
	defer hs.Close()
	large := strings.Repeat("h", 60<<10)
	for reason, r := range map[string]struct{ query, cookie string }{"header": {"", large}, "url": {large, ""}} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, hs.URL+"/socket/websocket?vsn=2.0.0&x="+r.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Cookie", r.cookie)
		answer, err := hs.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if n := e.Stats().Reasons[reason]; n != 1 {
			t.Errorf("%s: HTTP %d, and it was said %d times", reason, answer.StatusCode, n)
		}
	}
}

// attack sends bytes until the server closes, and returns the close code.
func attack(addr string, write func(io.Writer) error) (uint16, error) {
	c, r, err := upgrade(addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	written := make(chan error, 1)
	go func() { written <- write(c) }()
	op, payload, err := readFrame(r)
	_ = c.Close()
	<-written
	if err != nil {
		return 0, err
	}
	if op != 8 || len(payload) != 2 {
		return 0, fmt.Errorf("opcode %d with %q, want a close frame without reason", op, payload)
	}
	return binary.BigEndian.Uint16(payload), nil
}

func TestHostileFramesEndTheirConnectionOnly(t *testing.T) {
	engines(t, testHostileFrames)
}

func testHostileFrames(t *testing.T, options *bennu.EndpointOptions) {
	addr := listen(t, options)
	honest(t, addr)
	million := func(w io.Writer) error {
		b := bufio.NewWriter(w)
		for i := range 1_000_000 {
			op := byte(0)
			if i == 0 {
				op = 1
			}
			if _, err := b.Write([]byte{op, 0x81, 0, 0, 0, 0, 'x'}); err != nil {
				return err
			}
		}
		return b.Flush()
	}
	declare := func(n uint64) func(io.Writer) error {
		return func(w io.Writer) error {
			head := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, n)
			_, err := w.Write(append(head, 0, 0, 0, 0))
			return err
		}
	}
	send := func(frames ...[]byte) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := w.Write(bytes.Join(frames, nil))
			return err
		}
	}
	pings := bytes.Repeat([]byte{0x89, 0x80, 0, 0, 0, 0}, 21)
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
		code  uint16
	}{
		{"a million fragments of one byte", million, 1008},
		{"a length of 2^63", declare(1 << 63), 1002},
		{"a length of 2^63-1", declare(1<<63 - 1), 1009},
		{"a length of 2^40", declare(1 << 40), 1009},
		{"one byte more than the limit", declare(1<<20 + 1), 1009},
		{"deep JSON", send(textFrame(strings.Repeat("[", 100))), 1011},
		{"not JSON", send(textFrame("{oops")), 1011},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := heaptest.Live()
			for range 20 {
				code, err := attack(addr, c.write)
				if err != nil || code != c.code {
					t.Fatalf("closed with %d, %v; want %d", code, err, c.code)
				}
			}
			if after := heaptest.Live(); after > before+8<<20 {
				t.Errorf("20 attacks left %d KiB behind", (after-before)>>10)
			}
		})
	}
	t.Run("pings beyond the rate", func(t *testing.T) {
		c, r, err := upgrade(addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(pings); err != nil {
			t.Fatal(err)
		}
		pongs := 0
		for {
			op, payload, err := readFrame(r)
			if err != nil {
				t.Fatalf("after %d pongs: %v", pongs, err)
			}
			if op == 8 {
				if code := binary.BigEndian.Uint16(payload); code != 1008 {
					t.Fatalf("closed with %d, want 1008", code)
				}
				break
			}
			pongs++
		}
	})
}
