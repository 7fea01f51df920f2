package client_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// peerURL is the address of a peer, which only its own HTTP client can reach.
const peerURL = "ws://peer.test/socket"

// peer is a server in memory that a test controls, also with fake time. conns has every
// WebSocket that opens.
type peer struct {
	t      *testing.T
	client *http.Client
	conns  chan *peerConn
	ln     *pipeListener

	mu       sync.Mutex
	requests []*http.Request
	refuse   func(w http.ResponseWriter, r *http.Request) bool
	longPoll http.HandlerFunc
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{t: t, conns: make(chan *peerConn, 1000), ln: &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}}
	transport := &http.Transport{DialContext: p.ln.dial}
	p.client = &http.Client{Transport: transport}
	server := &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(p.ln)
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
		for {
			select {
			case c := <-p.conns:
				_ = c.ws.CloseNow()
			default:
				return
			}
		}
	})
	return p
}

// setRefuse makes f answer requests. If f returns false, the peer answers as usual.
func (p *peer) setRefuse(f func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = f
}

// seen returns the requests so far.
func (p *peer) seen() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*http.Request(nil), p.requests...)
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests = append(p.requests, r.Clone(context.Background()))
	refuse, longPoll := p.refuse, p.longPoll
	p.mu.Unlock()
	if refuse != nil && refuse(w, r) {
		return
	}
	if r.URL.Path == "/socket/longpoll" && longPoll != nil {
		longPoll(w, r)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"phoenix"}, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	ws.SetReadLimit(-1)
	p.conns <- &peerConn{t: p.t, ws: ws}
}

// accept waits for the next WebSocket.
func (p *peer) accept() *peerConn {
	p.t.Helper()
	c := next(p.t, "a connection", p.conns)
	p.t.Cleanup(func() { _ = c.ws.CloseNow() })
	return c
}

// options completes options for this server.
func (p *peer) options(opts *client.Options) *client.Options {
	if opts == nil {
		opts = &client.Options{}
	}
	opts.HTTPClient = p.client
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second // the default
	}
	return opts
}

// dial connects a client, and returns both ends.
func (p *peer) dial(opts *client.Options) (*client.Socket, *peerConn) {
	p.t.Helper()
	s := wsV2.connect(p.t, peerURL, p.options(opts))
	c := p.accept()
	if err := s.Open(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return s, c
}

// peerConn is one WebSocket of a peer.
type peerConn struct {
	t  *testing.T
	ws *websocket.Conn
}

// read returns the next message from the client, or false if the connection has ended.
func (c *peerConn) read() (wire.Message, bool) {
	kind, data, err := c.ws.Read(context.Background())
	if err != nil {
		return wire.Message{}, false
	}
	m, err := wire.V2(nil).Decode(wire.Opcode(kind), data)
	if err != nil {
		c.t.Errorf("the client sent %q: %v", data, err)
	}
	return m, err == nil
}

// expect returns the next message, which must have this topic and event. It may be called
// from any goroutine.
func (c *peerConn) expect(topic, event string) wire.Message {
	c.t.Helper()
	m, ok := c.read()
	if !ok {
		c.t.Errorf("the connection ended, want %s on %s", event, topic)
	} else if m.Topic != topic || m.Event != event {
		c.t.Errorf("got %s on %s, want %s on %s", m.Event, m.Topic, event, topic)
	}
	return m
}

// send sends a text unchanged.
func (c *peerConn) send(text string) {
	_ = c.ws.Write(context.Background(), websocket.MessageText, []byte(text))
}

// reply sends a reply to a message.
func (c *peerConn) reply(m wire.Message, status, response string) {
	_, data, _ := wire.V2(nil).AppendReply(nil, &wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, Status: status, Response: wire.Payload{Data: []byte(response)}})
	c.send(string(data))
}

// push sends an event with the refs of a join; those of the zero Message are null.
func (c *peerConn) push(join wire.Message, topic, event, payload string) {
	p := wire.Push{JoinRef: join.JoinRef, Topic: topic, Event: event, Payload: wire.Payload{Data: []byte(payload)}}
	if event == protocol.EventClose || event == protocol.EventError {
		p.Ref = join.JoinRef
	}
	_, data, _ := wire.V2(nil).AppendPush(nil, &p)
	c.send(string(data))
}

// acceptJoin answers the next join with ok.
func (c *peerConn) acceptJoin(topic string) wire.Message {
	c.t.Helper()
	m := c.expect(topic, protocol.EventJoin)
	c.reply(m, "ok", "{}")
	return m
}

// close closes with a code. It does not wait for the client.
func (c *peerConn) close(code int) {
	go func() { _ = c.ws.Close(websocket.StatusCode(code), "") }()
}

// cut ends the connection without a close frame.
func (c *peerConn) cut() { _ = c.ws.CloseNow() }

// pipeListener makes connections in memory.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "peer", Net: "pipe"} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, errors.New("the peer is gone")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pollServer is the server's end of a session of long polling that a test controls.
type pollServer struct {
	// out has the answers to polls, each a list of messages. It is not buffered
	// unless a test replaces it.
	out   chan []string
	posts chan string // bodies
	token string

	mu     sync.Mutex
	status func(r *http.Request) int // 0: go on
}

// setStatus makes f answer requests, except the poll that is waiting.
func (s *pollServer) setStatus(f func(r *http.Request) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = f
}

func newPollServer() *pollServer {
	return &pollServer{out: make(chan []string), posts: make(chan string, 100), token: "a+token/"}
}

func (s *pollServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, token string, messages []string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "token": token, "messages": messages})
	}
	s.mu.Lock()
	status := s.status
	s.mu.Unlock()
	if status != nil {
		if status := status(r); status != 0 {
			answer(status, "", nil)
			return
		}
	}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		s.posts <- string(body)
		answer(200, "", nil)
		return
	}
	if r.URL.Query().Get("token") == "" {
		answer(410, s.token, nil)
		return
	}
	select {
	case m := <-s.out:
		answer(200, s.token, m)
	case <-r.Context().Done():
	}
}

// join returns a message with the refs of a channel's current join.
func (c *peerConn) join(ch *client.Channel) wire.Message {
	ref := wire.StringRef(client.JoinRef(ch))
	return wire.Message{JoinRef: ref, Ref: ref}
}

// refuseAll answers all requests with 503.
func refuseAll(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusServiceUnavailable)
	return true
}

// websocketKey returns the answer to the key of a handshake.
func websocketKey(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
