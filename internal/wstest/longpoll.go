package wstest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/wsframe"
)

// LongPoll is a connection over long polling in the shape of a net.Conn that carries
// WebSocket frames, so that one test can run over both transports: what a Client
// writes is posted, one message a line, and what it reads is polled for. A client
// that does not read does not poll. The end of the session is the end of the
// connection, without a close frame: over this transport there are no codes.
type LongPoll struct {
	// URLs of the endpoints, asked in turn. There is one at first.
	URLs []string
	// InQuery sends the session's token as phoenix.js before 1.9 does.
	InQuery bool

	lines    []string // of the header
	http     http.Client
	token    string
	turn     int
	in       bytes.Buffer
	over     bool
	deadline time.Time
}

// DialLongPoll is Dial for a URL such as
// "http://127.0.0.1:4000/socket/longpoll?vsn=2.0.0". The Client's Conn is a
// *LongPoll.
func DialLongPoll(tb testing.TB, rawURL string, lines ...string) *Client {
	tb.Helper()
	c, status := OpenLongPoll(tb, rawURL, lines...)
	if c == nil {
		tb.Fatalf("dial %s: status %d", rawURL, status)
	}
	return c
}

// OpenLongPoll is DialLongPoll for a server that may refuse: the Client is nil then.
// The status is that of the envelope, or of HTTP when that is not 200.
func OpenLongPoll(tb testing.TB, rawURL string, lines ...string) (c *Client, status int) {
	tb.Helper()
	l := &LongPoll{URLs: []string{rawURL}, lines: lines}
	l.http.Transport = &http.Transport{} // of its own, to be closed with it
	c = &Client{tb: tb, nc: l, br: bufio.NewReader(l), joinRefs: map[string]string{}}
	tb.Cleanup(c.Abort)
	a, err := l.ask(http.MethodGet, nil)
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	if a.Status != http.StatusGone || a.Token == "" {
		c.Abort()
		return nil, a.Status
	}
	l.token = a.Token
	return c, http.StatusOK
}

// answer is the envelope of an answer. An HTTP status other than 200 has its place too.
type answer struct {
	Status   int
	Token    string
	Messages []string
}

func (l *LongPoll) ask(method string, body []byte) (*answer, error) {
	at := l.URLs[l.turn%len(l.URLs)]
	if l.InQuery && l.token != "" {
		at += "&token=" + url.QueryEscape(l.token)
	}
	r, err := http.NewRequest(method, at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	l.turn++
	if l.token != "" && !l.InQuery {
		r.Header.Set("X-Phoenix-Longpoll-Token", l.token)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-ndjson")
	}
	for _, line := range l.lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	l.http.Timeout = Patience
	if !l.deadline.IsZero() {
		l.http.Timeout = max(time.Millisecond, time.Until(l.deadline))
	}
	res, err := l.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxFrame))
	if err != nil {
		return nil, err
	}
	a := &answer{Status: res.StatusCode}
	if a.Status == http.StatusOK {
		if err := json.Unmarshal(text, a); err != nil {
			return nil, fmt.Errorf("%q is no envelope: %w", text, err)
		}
	}
	return a, nil
}

// Read implements net.Conn with polls.
func (l *LongPoll) Read(p []byte) (int, error) {
	for l.in.Len() == 0 {
		if l.over {
			return 0, io.EOF
		}
		if !l.deadline.IsZero() && time.Now().After(l.deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		a, err := l.ask(http.MethodGet, nil)
		if err != nil {
			return 0, err
		}
		switch a.Status {
		case http.StatusOK, http.StatusNoContent:
			l.token = a.Token
			for _, m := range a.Messages {
				l.in.Write(Frame{Op: OpText, Payload: []byte(m), Unmasked: true}.Append(nil))
			}
		case http.StatusGone, http.StatusServiceUnavailable: // what it says of a new session is not for here
			l.over = true
		default:
			return 0, fmt.Errorf("poll: status %d", a.Status)
		}
	}
	return l.in.Read(p)
}

// Write implements net.Conn with one post. It takes whole frames.
func (l *LongPoll) Write(p []byte) (int, error) {
	var lines []string
	for rest := p; len(rest) > 0; {
		f, n, err := unmask(rest)
		if err != nil {
			return 0, err
		}
		rest = rest[n:]
		if f.Op == OpBinary {
			lines = append(lines, base64.StdEncoding.EncodeToString(f.Payload))
		} else {
			lines = append(lines, string(f.Payload))
		}
	}
	const batch = 100 // is all that a server takes in one
	for len(lines) > 0 {
		n := min(batch, len(lines))
		a, err := l.ask(http.MethodPost, []byte(strings.Join(lines[:n], "\n")))
		switch {
		case err != nil:
			return 0, err
		case a.Status == http.StatusGone:
			return 0, net.ErrClosed
		case a.Status != http.StatusOK:
			return 0, fmt.Errorf("post: status %d", a.Status)
		}
		lines = lines[n:]
	}
	return len(p), nil
}

// unmask reads a data frame as Append writes it, and how long it is.
func unmask(p []byte) (f Frame, n int, err error) {
	h, head := wsframe.Parse(p)
	if head == 0 || uint64(len(p)-head) < h.Length || h.Op != OpText && h.Op != OpBinary {
		return f, 0, fmt.Errorf("no frame that can be posted: % x", p[:min(len(p), 16)])
	}
	n = head + int(h.Length)
	f.Op, f.Payload = h.Op, bytes.Clone(p[head:n])
	wsframe.Mask(f.Payload, h.Key)
	return f, n, nil
}

// Close implements net.Conn. The session lives on until the server misses its polls.
func (l *LongPoll) Close() error {
	l.over = true
	l.http.CloseIdleConnections()
	return nil
}

// SetDeadline implements net.Conn; one deadline does for both directions.
func (l *LongPoll) SetDeadline(t time.Time) error { l.deadline = t; return nil }

// SetReadDeadline implements net.Conn.
func (l *LongPoll) SetReadDeadline(t time.Time) error { return l.SetDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (l *LongPoll) SetWriteDeadline(t time.Time) error { return l.SetDeadline(t) }

// LocalAddr implements net.Conn.
func (l *LongPoll) LocalAddr() net.Addr { return pollAddr(l.URLs[0]) }

// RemoteAddr implements net.Conn.
func (l *LongPoll) RemoteAddr() net.Addr { return pollAddr(l.URLs[0]) }

type pollAddr string

func (pollAddr) Network() string  { return "longpoll" }
func (a pollAddr) String() string { return string(a) }
