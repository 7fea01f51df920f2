package transport_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// sized is a transport of texts over a listener, for one mount. Each text has its length before it,
// in 4 bytes. The client's first text has its parameters, and the server's first one is "ok". An
// empty text of the client is its end in order; one of the server comes before a close code.
type sized struct{ ln net.Listener }

const (
	maxHello   = 8 << 10 // bytes of the parameters; Accept takes no more
	maxMessage = 64 << 10
)

func (t *sized) Name() string { return "sized" }

func (t *sized) Mount(m transport.Mount) error {
	m.Go(func(ctx context.Context) {
		defer context.AfterFunc(ctx, func() { _ = t.ln.Close() })()
		for {
			conn, err := t.ln.Accept()
			if err != nil {
				return // in a real transport not for errors that pass, such as too many open files
			}
			m.Go(func(ctx context.Context) { t.serve(ctx, m, conn) })
		}
	})
	return nil
}

func (t *sized) serve(ctx context.Context, m transport.Mount, conn net.Conn) {
	defer conn.Close()
	// What comes before Accept is bounded by the transport, in bytes and in time.
	l := &sizedLink{conn: conn, in: bufio.NewReader(conn), most: maxHello}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	_, query, err := l.Read()
	if !stop() || err != nil {
		return
	}
	session, err := m.Accept(&http.Request{URL: &url.URL{RawQuery: string(query)}, RemoteAddr: conn.RemoteAddr().String()})
	if err != nil {
		return // this protocol has no answer for it; Accept has logged it
	}
	if _, err := conn.Write(appendText(nil, []byte("ok"))); err != nil {
		return
	}
	_ = conn.SetDeadline(time.Time{}) // it was for the handshake only
	l.most = maxMessage
	_ = session.Serve(l, &transport.LinkOptions{MaxMessage: maxMessage}) // bennu logs why it ended
}

// sizedLink is one connection.
type sizedLink struct {
	conn net.Conn
	in   *bufio.Reader
	most int // bytes of a text
}

func (l *sizedLink) Read() (wire.Opcode, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return 0, nil, fmt.Errorf("lost: %v", err) // not io.EOF, which would be the end in order
	}
	n := binary.BigEndian.Uint32(head[:])
	switch {
	case n == 0:
		return 0, nil, io.EOF
	case n > uint32(l.most):
		return 0, nil, &transport.ClosedError{Code: transport.CloseTooBig}
	}
	text := make([]byte, n) // new memory for each message
	if _, err := io.ReadFull(l.in, text); err != nil {
		return 0, nil, fmt.Errorf("lost: %v", err)
	}
	return wire.Text, text, nil
}

func (l *sizedLink) Write(frames []transport.Frame, deadline time.Time) error {
	var out []byte
	for _, f := range frames {
		if f.Opcode() == wire.Text { // this protocol has no binary messages
			out = appendText(out, f.Payload())
		}
	}
	_ = l.conn.SetWriteDeadline(deadline)
	_, err := l.conn.Write(out)
	return err
}

func (l *sizedLink) Close(code transport.CloseCode) error {
	if code == 0 {
		return l.conn.Close() // makes Read, Write and Close return
	}
	_ = l.conn.SetWriteDeadline(time.Time{}) // it was for the last Write only
	_, err := l.conn.Write(binary.BigEndian.AppendUint16(appendText(nil, nil), uint16(code)))
	return err
}

func appendText(b, text []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

// A small transport, and an endpoint that has it alone: it needs no HTTP server.
func Example_transport() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
	endpoint.Socket("/socket", &bennu.SocketHandler{}, &bennu.SocketOptions{
		Transports: []transport.Transport{&sized{ln}},
	})
	defer func() { _ = endpoint.Shutdown(context.Background()) }()

	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	client := &sizedLink{conn: conn, in: bufio.NewReader(conn), most: maxMessage}
	for _, text := range []string{"vsn=2.0.0", `[null,"1","phoenix","heartbeat",{}]`} {
		_, _ = conn.Write(appendText(nil, []byte(text)))
		_, answer, err := client.Read()
		fmt.Println(string(answer), err)
	}
	// Output:
	// ok <nil>
	// [null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}] <nil>
}
