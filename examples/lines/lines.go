// Package lines is an example of a transport that bennu does not have: channels over a Unix
// socket, TCP or TLS, for devices that have no WebSocket. The client writes its parameters in a
// line, such as "vsn=2.0.0&token=abc", and reads "ok" or "refused". Then each message is a line:
// JSON as it is, bytes in base64. The last line of the server is "close" with a close code.
package lines

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// New makes a transport for one mount that serves ln, and closes it at the end. A nil o means the
// defaults. A message has at most o.MaxMessage bytes; 0 and Unlimited mean 1 MiB.
func New(ln net.Listener, o *transport.LinkOptions) transport.Transport {
	return &lines{ln, cmp.Or(o, &transport.LinkOptions{})}
}

type lines struct {
	ln   net.Listener
	opts *transport.LinkOptions
}

func (t *lines) Name() string { return "lines" }

func (t *lines) Mount(m transport.Mount) error {
	m.Limits(slog.String("address", t.ln.Addr().String()))
	m.Go(func(ctx context.Context) {
		defer context.AfterFunc(ctx, func() { _ = t.ln.Close() })()
		for {
			nc, err := t.ln.Accept()
			if err == nil {
				m.Go(func(ctx context.Context) { t.serve(ctx, m, nc) })
				continue
			}
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			m.Logger().Error("lines: accept", slog.Any("error", err)) // such as too many open files
			time.Sleep(100 * time.Millisecond)
		}
	})
	return nil
}

func (t *lines) serve(ctx context.Context, m transport.Mount, nc net.Conn) {
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second)) // for the handshake only
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	l := &link{nc: nc, in: bufio.NewReader(nc), most: 16 << 10}
	query, err := l.line()
	if !stop() || err != nil {
		return
	}
	s, err := m.Accept(&http.Request{URL: &url.URL{RawQuery: string(query)}, RemoteAddr: nc.RemoteAddr().String()})
	if err != nil {
		_, _ = io.WriteString(nc, "refused\n")
		return
	}
	if _, err := io.WriteString(nc, "ok\n"); err == nil {
		_ = nc.SetDeadline(time.Time{})
		l.most = base64.StdEncoding.EncodedLen(cmp.Or(max(t.opts.MaxMessage, 0), 1<<20))
		_ = s.Serve(l, t.opts)
	}
}

// link is one connection, a transport.Link.
type link struct {
	nc   net.Conn
	in   *bufio.Reader
	most int // bytes of a line
}

// line reads a line of at most l.most bytes into new memory, without the line break.
func (l *link) line() (line []byte, err error) {
	for {
		part, err := l.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > l.most+len("\r\n"):
			return nil, &transport.ClosedError{Code: transport.CloseTooBig}
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF // the connection ended within a line
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

func (l *link) Read() (wire.Opcode, []byte, error) {
	line, err := l.line()
	if err != nil || len(line) > 0 && (line[0] == '[' || line[0] == '{') {
		return wire.Text, line, err
	}
	n, err := base64.StdEncoding.Decode(line, line)
	if err != nil {
		return 0, nil, &transport.ClosedError{Code: transport.CloseInvalidData}
	}
	return wire.Binary, line[:n], nil
}

func (l *link) Write(frames []transport.Frame, deadline time.Time) error {
	var out []byte
	for _, f := range frames {
		if begin := len(out); f.Opcode() == wire.Text {
			out = append(out, f.Payload()...)
			for i, c := range out[begin:] {
				if c == '\n' || c == '\r' { // JSON has them only between values, where a blank means the same
					out[begin+i] = ' '
				}
			}
		} else {
			out = base64.StdEncoding.AppendEncode(out, f.Payload())
		}
		out = append(out, '\n')
	}
	_ = l.nc.SetWriteDeadline(deadline)
	_, err := l.nc.Write(out)
	return err
}

func (l *link) Close(code transport.CloseCode) error {
	if code == 0 {
		return l.nc.Close()
	}
	_ = l.nc.SetWriteDeadline(time.Time{}) // not that of the last Write; Close(0) ends it if need be
	_, err := fmt.Fprintf(l.nc, "close %d\n", code)
	if half, ok := l.nc.(interface{ CloseWrite() error }); ok && err == nil {
		err = half.CloseWrite()
	}
	return err
}
