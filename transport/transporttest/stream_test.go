package transporttest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/transporttest"
	"github.com/bennu-go/bennu/wire"
)

// stream is a transport over one request of HTTP: its body and that of the answer are streams of
// unmasked frames of RFC 6455. It does one thing wrong if it is told to.
type stream struct {
	wrong string
	opts  transport.LinkOptions
}

// wrongStreams are like wrongs.
var wrongStreams = []struct{ wrong, check, says string }{
	{"leaves the deadlines", "server/timeouts", "clears the deadlines"},
	{"wants a Flusher", "server/middleware", "Unwrap"},
}

func streamHarness(wrong string) func(testing.TB) *transporttest.Harness {
	return func(testing.TB) *transporttest.Harness {
		return &transporttest.Harness{
			New:    func(o *transport.LinkOptions) transport.Transport { return &stream{wrong, *o} },
			Dial:   dialStream,
			HTTP:   true,
			Binary: true, CloseCodes: true, Orderly: true, Stalls: true,
		}
	}
}

func (s *stream) is(wrong string) bool { return s.wrong == wrong }

func (s *stream) Name() string { return "stream" }

func (s *stream) Mount(m transport.Mount) error {
	m.Handle("stream", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		if err := c.EnableFullDuplex(); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		session, err := m.Accept(r)
		if err != nil {
			m.Refuse(w, r, err)
			return
		}
		if !s.is("leaves the deadlines") {
			_ = c.SetReadDeadline(time.Time{})
			_ = c.SetWriteDeadline(time.Time{})
		}
		if _, ok := w.(http.Flusher); !ok && s.is("wants a Flusher") {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("X-Subprotocol", session.Subprotocol())
		w.WriteHeader(http.StatusOK)
		_ = c.Flush()
		_ = session.Serve(&streamLink{w: w, c: c, body: r.Body, in: bufio.NewReader(r.Body), most: s.opts.MaxMessage}, &s.opts)
	}))
	return nil
}

// streamLink is the server's end.
type streamLink struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	body io.Closer
	in   *bufio.Reader
	most int
}

func (l *streamLink) Read() (wire.Opcode, []byte, error) {
	f, err := wstest.ReadFrame(l.in)
	switch {
	case err != nil && strings.Contains(err.Error(), "not UTF-8"):
		return 0, nil, &transport.ClosedError{Code: transport.CloseInvalidData}
	case err != nil:
		return 0, nil, err
	case l.most > 0 && len(f.Payload) > l.most:
		return 0, nil, &transport.ClosedError{Code: transport.CloseTooBig}
	}
	return wire.Opcode(f.Op), f.Payload, nil
}

func (l *streamLink) Write(frames []transport.Frame, deadline time.Time) error {
	_ = l.c.SetWriteDeadline(deadline)
	for _, f := range frames {
		if _, err := l.w.Write(f.Bytes()); err != nil {
			return err
		}
	}
	return l.c.Flush()
}

func (l *streamLink) Close(code transport.CloseCode) error {
	if code == 0 {
		past := time.Unix(1, 0)
		return errors.Join(l.c.SetReadDeadline(past), l.c.SetWriteDeadline(past))
	}
	_ = l.c.SetWriteDeadline(time.Time{}) // not that of the last Write
	f := wstest.CloseFrame(int(code))
	f.Unmasked = true
	if _, err := l.w.Write(f.Append(nil)); err != nil {
		return err
	}
	return l.c.Flush()
}

// streamClient is the client's end.
type streamClient struct {
	nc   net.Conn
	in   *bufio.Reader // of the answer's body
	body io.WriteCloser
	sub  string

	mu   sync.Mutex
	code transport.CloseCode
}

func dialStream(_ testing.TB, to transporttest.Target) (transporttest.Client, error) {
	r, err := http.NewRequest(http.MethodPost, to.URL+to.Path+"/stream?"+to.RawQuery, nil)
	if err != nil {
		return nil, err
	}
	nc, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	head := "POST " + r.URL.RequestURI() + " HTTP/1.1\r\nHost: " + r.URL.Host + "\r\nTransfer-Encoding: chunked\r\n"
	for name, values := range to.Header {
		head += name + ": " + values[0] + "\r\n"
	}
	c := &streamClient{nc: nc, body: chunks{nc}}
	first := []byte(head + "\r\n")
	if to.First != nil {
		f := wstest.Frame{Op: wstest.OpText, Payload: to.First, Unmasked: true}.Append(nil)
		first = fmt.Appendf(first, "%x\r\n%s\r\n", len(f), f)
	}
	if _, err := nc.Write(first); err != nil {
		return nil, err
	}
	br := bufio.NewReader(nc)
	answer, err := http.ReadResponse(br, r)
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(&transporttest.Refused{Status: answer.StatusCode, Header: answer.Header}, nc.Close())
	}
	c.in, c.sub = bufio.NewReader(answer.Body), answer.Header.Get("X-Subprotocol")
	return c, nil
}

// chunks writes a body in chunks.
type chunks struct{ w io.Writer }

func (c chunks) Write(p []byte) (int, error) {
	if _, err := c.w.Write(fmt.Appendf(nil, "%x\r\n%s\r\n", len(p), p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c chunks) Close() error {
	_, err := io.WriteString(c.w, "0\r\n\r\n")
	return err
}

func (c *streamClient) Send(op wire.Opcode, data []byte) error {
	_, err := c.body.Write(wstest.Frame{Op: byte(op), Payload: data, Unmasked: true}.Append(nil))
	return err
}

func (c *streamClient) CutWithin(op wire.Opcode, data []byte) error {
	f := wstest.Frame{Op: byte(op), Payload: data, Unmasked: true}.Append(nil)
	_, err := c.body.Write(f[:len(f)/2])
	c.Cut()
	return err
}

func (c *streamClient) Receive(ctx context.Context) (wire.Opcode, []byte, error) {
	defer context.AfterFunc(ctx, c.Cut)()
	f, err := wstest.ReadFrame(c.in)
	if err == nil && f.Op == wstest.OpClose {
		c.mu.Lock()
		c.code = transport.CloseCode(f.Code())
		c.mu.Unlock()
		_ = c.body.Close()
		return 0, nil, io.EOF
	}
	return wire.Opcode(f.Op), f.Payload, err
}

func (c *streamClient) Close()            { _ = c.body.Close() }
func (c *streamClient) CloseWrite() error { return c.body.Close() }
func (c *streamClient) Cut()              { _ = c.nc.Close() }
func (c *streamClient) Stall(bool)        {} // it takes nothing but in Receive

func (c *streamClient) Code() (transport.CloseCode, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code, c.code != 0
}

func (c *streamClient) Subprotocol() string { return c.sub }
