package bennu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// bounds are limits of a mount.
type bounds struct {
	message, queueBytes, queueMessages      int
	topics, mailboxMessages, mailboxBytes   int
	websockets, sessions                    int
	postsPerAddress, subscriptions, largest int
}

// The formula of docs/limits.md, in bytes. Every channel hears from elsewhere here.

func (b *bounds) channel() int {
	client := 1<<10 + b.message + b.mailboxBytes*9/8 + b.mailboxMessages<<10
	elsewhere := max(b.mailboxBytes, min(b.queueBytes, 4<<20)) + b.queueBytes + b.mailboxMessages*256
	return client + elsewhere
}

func (b *bounds) websocket() int {
	reading := 5*b.message + 272<<10
	writing := b.queueBytes*9/8 + 64*b.queueMessages + b.queueBytes
	return 8<<10 + reading + writing + b.topics*b.channel()
}

func (b *bounds) session() int {
	return 24<<10 + 3*b.message + b.queueBytes*9/8 + 64*b.queueMessages + b.queueBytes + b.topics*b.channel()
}

func (b *bounds) node() int {
	posts := b.postsPerAddress * 9 / 8
	return b.websockets*b.websocket() + b.sessions*b.session() + posts + b.subscriptions*(16<<20+b.largest)
}

// pollClient is a client of long polling that never polls.
type pollClient struct {
	t    *testing.T
	url  string
	http *http.Client
}

func dialPoll(t *testing.T, url string) *pollClient {
	c := &pollClient{t, url, &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(c.http.CloseIdleConnections)
	r, err := c.http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	var a struct{ Token string }
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	c.url += "&token=" + a.Token
	return c
}

func (c *pollClient) post(text string) {
	r, err := c.http.Post(c.url, "application/json", strings.NewReader(text))
	if err != nil {
		c.t.Error(err)
		return
	}
	_ = r.Body.Close()
}

// hostage is a channel whose handler, and whose join if it is asked to, do not return.
type hostage struct{ *bennu.Channel }

// TestMemoryIsBounded fills every bound at once, over both transports, with whatever keeps most,
// and compares the heap with the formula of docs/limits.md.
func TestMemoryIsBounded(t *testing.T) {
	b := &bounds{
		message: 16 << 10, queueBytes: 128 << 10, queueMessages: 512, topics: 4, mailboxMessages: 32, mailboxBytes: 32 << 10,
		websockets: sized(6, 300), sessions: sized(3, 60), postsPerAddress: sized(1, 4) << 20, subscriptions: 1, largest: 64 << 10,
	}
	release, entered, joined := make(chan struct{}), make(chan string, 10_000), make(chan *bennu.Channel, 10_000)
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in struct{ Hang bool }) (*hostage, bennu.Empty, error) {
		if in.Hang {
			entered <- "join"
			<-release
		} else {
			joined <- ch
		}
		return &hostage{ch}, bennu.Empty{}, nil
	})
	bennu.On(d, "x", func(h *hostage, _ context.Context, _ bennu.Raw) (bennu.NoReply, error) {
		select {
		case <-release:
		default:
			entered <- h.Topic()
			<-release
		}
		return bennu.NoReply{}, nil
	})
	bennu.Intercept(d, "out", func(*hostage, context.Context, bennu.Raw) error { return nil })
	users := one("*", d)
	users.Limits.Topics, users.Limits.MailboxMessages, users.Limits.MailboxBytes = b.topics, b.mailboxMessages, b.mailboxBytes
	users.Limits.JoinTimeout = time.Hour
	polls := &longpoll.Options{
		MaxBody: b.message, MaxBufferBytes: b.queueBytes, MaxBufferMessages: b.queueMessages,
		MaxPostBytesPerAddress: b.postsPerAddress, MaxSessionsPerAddress: bennu.Unlimited, Window: time.Hour,
	}
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler), DrainTime: bennu.Unlimited})
	e.Socket("/socket", users, &bennu.SocketOptions{
		Transports: over(&websocket.Options{
			MaxMessage: b.message, MaxQueueBytes: b.queueBytes, MaxQueueMessages: b.queueMessages,
			IdleTimeout: bennu.Unlimited, WriteTimeout: bennu.Unlimited,
		}, polls),
	})
	h := httptest.NewUnstartedServer(e)
	h.Config = e.Server()
	h.Listener = &littleBuffers{h.Listener}
	h.Start()
	var posts sync.WaitGroup
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	let := sync.OnceFunc(func() { close(release); posts.Wait() })
	t.Cleanup(let)

	var sockets []*wstest.Client
	var sessions []*pollClient
	for range b.websockets {
		c := wstest.Dial(t, "ws"+strings.TrimPrefix(h.URL, "http")+"/socket/websocket?vsn=2.0.0")
		_ = c.Conn().(*net.TCPConn).SetReadBuffer(4 << 10)
		sockets = append(sockets, c)
	}
	for range b.sessions {
		sessions = append(sessions, dialPoll(t, h.URL+"/socket/longpoll?vsn=2.0.0"))
	}
	base := heaptest.Live()

	send := make([]func(string), 0, len(sockets)+len(sessions))
	for _, c := range sockets {
		send = append(send, func(text string) { c.Send(wstest.Text(text)) })
	}
	for _, c := range sessions {
		send = append(send, c.post)
	}
	// The test keeps no reference to a message that it has sent, so the heap holds the server's memory alone.
	padded := func(topic, payload string, size int) string {
		m := wstest.V2(`"1"`, `"2"`, topic, "x", payload)
		return m[:len(m)-1] + strings.Repeat(" ", size-len(m)) + "]"
	}
	full := func(n int) string { return string(sizedPayload(n)) }
	var channels []*bennu.Channel
	for i, send := range send {
		for n := range b.topics - 1 {
			topic := fmt.Sprintf("t:%d:%d", i, n)
			send(wstest.V2(`"1"`, `"1"`, topic, "phx_join", "{}"))
			channels = append(channels, waittest.Next(t, "a join", joined))
			// One message is with the handler. As many wait behind it as fit while the client is read.
			send(wstest.V2(`"1"`, `"2"`, topic, "x", full(b.message-100)))
			waittest.Next(t, "a handler", entered)
			for range b.mailboxMessages - 4 {
				send(padded(topic, "{}", 500))
			}
			send(wstest.V2(`"1"`, `"2"`, topic, "x", full(b.message-300)))
			send(wstest.V2(`"1"`, `"2"`, topic, "x", full(b.mailboxBytes-b.message-500)))
			for range (b.queueBytes - 8<<10) / (8 << 10) {
				publish(t, e, topic, 8<<10)
			}
			publish(t, e, topic, b.queueBytes-2<<10)
		}
	}
	for _, ch := range channels {
		if strings.HasSuffix(ch.Topic(), ":0") {
			for range (b.queueBytes - 8<<10) / (1 << 10) {
				if err := ch.Push("p", sizedPayload(1<<10-100)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for i, c := range sockets {
		// A join that does not return, and as much behind it as stops the client.
		topic := fmt.Sprintf("t:%d:3", i)
		c.Send(wstest.Text(wstest.V2(`"1"`, `"1"`, topic, "phx_join", `{"hang":true,"x":`+full(b.message-100)+`}`)))
		waittest.Next(t, "a join", entered)
		for range 17 {
			c.Send(wstest.Text(padded(topic, "{}", b.message)))
		}
	}
	for i, c := range sessions {
		topic := fmt.Sprintf("t:%d:3", len(sockets)+i)
		posts.Go(func() {
			c.post(wstest.V2(`"1"`, `"1"`, topic, "phx_join", `{"hang":true,"x":`+full(b.message-100)+`}`))
		})
		waittest.Next(t, "a join", entered)
		posts.Go(func() { c.post(padded(topic, "{}", b.message)) })
	}
	hears := make(chan struct{})
	sub := e.Subscribe("heard", func(context.Context, bennu.Broadcast) { <-hears })
	for range (16 << 20) / b.largest {
		publish(t, e, "heard", b.largest)
	}
	var got int
	waittest.Until(t, "all posts are there", func() bool { return e.Stats().Transports["longpoll"].Extra["posts"] >= uint64(b.sessions) })
	got = heaptest.Live() - base
	close(hears)
	sub.Cancel()
	formula := b.node()
	t.Logf("%d WebSockets, %d sessions: heap %d KiB, formula %d KiB", b.websockets, b.sessions, got>>10, formula>>10)
	if n := e.Stats(); n.Sockets != b.websockets+b.sessions || n.Crashes != 0 {
		t.Errorf("%+v", n)
	}
	if got > formula+formula/5 {
		t.Errorf("heap of %d, and the formula says %d", got, formula)
	}
	if got < formula/3 {
		t.Errorf("heap of %d, and the formula says %d: the bounds are not filled", got, formula)
	}
	let()
}

func publish(t *testing.T, e *bennu.Endpoint, topic string, size int) {
	t.Helper()
	if err := e.Broadcast(topic, "out", sizedPayload(size-100)); err != nil {
		t.Fatal(err)
	}
}

// littleBuffers is a listener whose connections leave little to the kernel.
type littleBuffers struct{ net.Listener }

func (l *littleBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		_ = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return c, err
}

// TestNoFrameIsKept has channels keep payloads of two bytes that came in large frames.
func TestNoFrameIsKept(t *testing.T) {
	type keeper struct {
		*bennu.Channel
		kept bennu.Raw
	}
	const size = 128 << 10
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in bennu.Raw) (*keeper, bennu.Empty, error) {
		return &keeper{ch, in}, bennu.Empty{}, nil
	})
	for name, frame := range map[string]func(topic string) string{
		"white space": func(topic string) string {
			return fmt.Sprintf(`["1","1",%q,"phx_join",{}%s]`, topic, strings.Repeat(" ", size))
		},
		"elements": func(topic string) string {
			return fmt.Sprintf(`["1","1",%q,"phx_join",{},"%s"]`, topic, strings.Repeat("x", size))
		},
		"members": func(topic string) string {
			return fmt.Sprintf(`{"topic":%q,"event":"phx_join","payload":{},"ref":"1","x":"%s"}`, topic, strings.Repeat("x", size))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, one("*", d), nil, nil)
			url := s.url
			if name == "members" {
				url = strings.Replace(url, "2.0.0", "1.0.0", 1)
			}
			c := wstest.Dial(t, url)
			base := heaptest.Live()
			for i := range 20 {
				c.Send(wstest.Text(frame(fmt.Sprint("t:", i))))
				if f := c.Next(); !bytes.Contains(f.Payload, []byte(`"ok"`)) {
					t.Fatalf("%s", f.Payload)
				}
			}
			if got := heaptest.Live() - base; got > 1<<20 {
				t.Errorf("20 channels that keep two bytes each hold %d KiB", got>>10)
			}
		})
	}
}
