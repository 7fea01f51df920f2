package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
)

// peer is a client of HTTP made by hand on a TCP connection. It reports what goes wrong
// as errors, so that many can run at once.
type peer struct {
	nc net.Conn
	br *bufio.Reader
}

func dial(addr string) (*peer, error) {
	nc, err := net.DialTimeout("tcp", addr, wstest.Patience)
	if err != nil {
		return nil, err
	}
	return &peer{nc, bufio.NewReader(nc)}, nil
}

// close ends the connection at once, leaving no address in use for a minute.
func (p *peer) close() {
	_ = p.nc.(*net.TCPConn).SetLinger(0)
	_ = p.nc.Close()
}

// answer is a response, and what it says in its envelope if it has one.
type answer struct {
	Status int // of HTTP
	Header http.Header
	Body   string
	Close  bool // the server wants no more requests on this connection

	Envelope envelope
}

// envelope is what answers every request of long polling.
type envelope struct {
	Status   int
	Token    string
	Messages []string
}

func (a *answer) String() string {
	return fmt.Sprintf("HTTP %d, %.300q", a.Status, a.Body)
}

// head is the head of a request, with further lines for it, each "Name: value". There
// is a Host, unless the lines have one.
func head(method, target string, lines ...string) string {
	var b strings.Builder
	b.WriteString(method + " " + target + " HTTP/1.1\r\n")
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "Host:") {
		b.WriteString("Host: localhost\r\n")
	}
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// upgradeLines are those of a WebSocket handshake.
var upgradeLines = []string{
	"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
}

// ask sends a request and reads the answer to it. While much is sent the answer may
// come already, and then the rest need not arrive. A body is sent in place, so that
// many clients can send the same large one.
func (p *peer) ask(text string, body ...[]byte) (*answer, error) {
	_ = p.nc.SetDeadline(time.Now().Add(wstest.Patience))
	written := make(chan error, 1)
	write := func() {
		buffers := append(net.Buffers{[]byte(text)}, body...)
		_, err := buffers.WriteTo(p.nc)
		written <- err
	}
	if len(text) <= 8<<10 && len(body) == 0 {
		write()
	} else {
		go write()
	}
	method, _, _ := strings.Cut(text, " ")
	a, err := p.read(method)
	if err != nil {
		p.close()
		return nil, fmt.Errorf("%w (write: %v)", err, <-written)
	}
	if a.Close {
		p.close() // which ends the writing
	}
	<-written
	return a, nil
}

// read reads an answer to a request of this method.
func (p *peer) read(method string) (*answer, error) {
	for {
		r, err := http.ReadResponse(p.br, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		if r.StatusCode == http.StatusContinue {
			continue
		}
		a := &answer{Status: r.StatusCode, Header: r.Header, Close: r.Close}
		if r.StatusCode == http.StatusSwitchingProtocols {
			return a, nil
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
		if err != nil {
			return nil, err
		}
		a.Body = string(body)
		if strings.HasPrefix(a.Body, "{") {
			if err := json.Unmarshal(body, &a.Envelope); err != nil {
				return nil, fmt.Errorf("%q: %w", body, err)
			}
		}
		return a, nil
	}
}

// once asks on a connection of its own.
func once(addr, text string) (*answer, error) {
	p, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer p.close()
	return p.ask(text)
}

const (
	ndjson = "Content-Type: application/x-ndjson"
	plain  = "Content-Type: application/json"
)

// poller is one client over long polling, that adopts no token but its first.
type poller struct {
	*peer
	path  string // with a query
	token string
}

// openSession makes a session, with further lines for the request.
func openSession(addr, path string, lines ...string) (*poller, error) {
	p, err := dial(addr)
	if err != nil {
		return nil, err
	}
	c := &poller{peer: p, path: path}
	a, err := c.ask(head("GET", path, lines...))
	if err == nil && (a.Status != 200 || a.Envelope.Status != 410 || a.Envelope.Token == "") {
		err = fmt.Errorf("the first poll: %v", a)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	c.token = a.Envelope.Token
	return c, nil
}

func (c *poller) getText(lines ...string) string {
	return head("GET", c.path, append(lines, "X-Phoenix-Longpoll-Token: "+c.token)...)
}

func (c *poller) postText(kind string, length int) string {
	return head("POST", c.path, "X-Phoenix-Longpoll-Token: "+c.token, kind, fmt.Sprint("Content-Length: ", length))
}

func (c *poller) poll() (*answer, error) { return c.ask(c.getText()) }

func (c *poller) post(kind, body string) (*answer, error) {
	return c.ask(c.postText(kind, len(body)) + body)
}

// postBytes is post for large bodies.
func (c *poller) postBytes(kind string, body []byte) (*answer, error) {
	return c.ask(c.postText(kind, len(body)), body)
}

// join joins a topic with the ref "1", and polls for the reply.
func (c *poller) join(topic string) error {
	a, err := c.post(ndjson, wstest.V2(`"1"`, `"1"`, topic, "phx_join", "{}"))
	if err := want(a, err, 200, 200); err != nil {
		return err
	}
	a, err = c.poll()
	if err := want(a, err, 200, 200); err != nil {
		return err
	}
	if reply := wstest.OK(`"1"`, `"1"`, topic); len(a.Envelope.Messages) != 1 || !sameJSON(a.Envelope.Messages[0], reply) {
		return fmt.Errorf("join: %v", a)
	}
	return nil
}

// errGone is the answer to a request of a session that has ended.
var errGone = errors.New("the session is gone")

// want compares the two statuses of an answer; an envelope of 0 is none.
func want(a *answer, err error, http, envelope int) error {
	if err != nil {
		return err
	}
	if envelope == 200 && a.Status == 200 && a.Envelope.Status == 410 {
		return errGone
	}
	if a.Status != http || a.Envelope.Status != envelope || envelope == 0 && http != 200 && a.Status != 431 && a.Body != "" {
		return fmt.Errorf("%v; want HTTP %d, envelope %d", a, http, envelope)
	}
	return nil
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}
