package bennu_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/token"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// talk mounts a handler on a fresh endpoint, sends each line over one WebSocket, and
// prints the frames that come back, as many as are wanted after each line.
func talk(users *bennu.SocketHandler, lines ...string) {
	endpoint := quiet()
	endpoint.Socket("/socket", users, nil)
	converse(endpoint, lines...)
}

func quiet() *bennu.Endpoint {
	return bennu.NewEndpoint(&bennu.EndpointOptions{
		Logger: slog.New(slog.DiscardHandler), DrainTime: bennu.Unlimited,
	})
}

// converse sends lines to an endpoint; a line "<-" waits for a frame and prints it.
func converse(endpoint *bennu.Endpoint, lines ...string) { converseAs(endpoint, "", lines...) }

// converseAs is converse with more of the URL's query.
func converseAs(endpoint *bennu.Endpoint, query string, lines ...string) {
	server := httptest.NewServer(endpoint)
	defer server.Close()
	defer endpoint.Shutdown(context.Background())
	url := "ws" + strings.TrimPrefix(server.URL, "http") + "/socket/websocket?vsn=2.0.0" + query
	conn, _, _, err := ws.Dial(context.Background(), url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(waittest.Patience)) // what does not come must not hang
	for _, line := range lines {
		if line == "<-" {
			receive(conn)
		} else if err := wsutil.WriteClientText(conn, []byte(line)); err != nil {
			fmt.Println(err)
		}
	}
}

func receive(conn net.Conn) {
	data, err := wsutil.ReadServerText(conn)
	if closed := (wsutil.ClosedError{}); errors.As(err, &closed) {
		fmt.Println("closed with", closed.Code)
		return
	}
	fmt.Println(string(data))
}

// A counter is the state of one joined topic.
type counter struct {
	*bennu.Channel
	n int
}

type add struct {
	By int `json:"by"`
}

type total struct {
	N int `json:"n"`
}

func joinCounter(_ context.Context, ch *bennu.Channel, from total) (*counter, total, error) {
	return &counter{ch, from.N}, from, nil
}

func (c *counter) add(_ context.Context, in add) (total, error) {
	c.n += in.By
	return total{c.n}, nil
}

func Example() {
	counters := bennu.Define(joinCounter)
	bennu.On(counters, "add", (*counter).add)

	var users bennu.SocketHandler
	users.Channel("counter:*", counters)

	talk(&users,
		`["1","1","counter:a","phx_join",{"n":40}]`, "<-",
		`["1","2","counter:a","add",{"by":2}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":40},"status":"ok"}]
	// ["1","2","counter:a","phx_reply",{"response":{"n":42},"status":"ok"}]
}

func ExampleDefine_refuse() {
	private := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*counter, bennu.Empty, error) {
		return nil, bennu.Empty{}, &bennu.Error{Reason: "unauthorized"}
	})
	var users bennu.SocketHandler
	users.Channel("private:*", private)

	talk(&users, `["1","1","private:a","phx_join",{}]`, "<-")
	// Output:
	// ["1","1","private:a","phx_reply",{"response":{"reason":"unauthorized"},"status":"error"}]
}

// What does not decode is answered, and the handler is not called.
func ExampleOn_invalidPayload() {
	counters := bennu.Define(joinCounter)
	bennu.On(counters, "add", (*counter).add)
	var users bennu.SocketHandler
	users.Channel("counter:*", counters)

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","add",{"by":"two"}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["1","2","counter:a","phx_reply",{"response":{"reason":"invalid payload","field":"by"},"status":"error"}]
}

// A broadcast of "secret" is seen by each channel before its client, and pushed
// with what this client may know.
func ExampleIntercept() {
	d := bennu.Define(joinCounter)
	bennu.On(d, "tell", func(c *counter, _ context.Context, in total) (bennu.NoReply, error) {
		return bennu.NoReply{}, c.Broadcast("secret", in)
	})
	bennu.Intercept(d, "secret", func(c *counter, _ context.Context, in total) error {
		return c.Push("secret", total{in.N % 10})
	})
	var users bennu.SocketHandler
	users.Channel("counter:*", d)

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","tell",{"n":1234}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["1",null,"counter:a","secret",{"n":4}]
}

type welcome struct{ name string }

// Nothing can be pushed before the client has joined, so Join sends a message to
// the channel itself.
func ExampleOnInfo() {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*counter, bennu.Empty, error) {
		return &counter{Channel: ch}, bennu.Empty{}, ch.Send(welcome{"Ada"})
	})
	bennu.OnInfo(d, func(c *counter, _ context.Context, w welcome) error {
		return c.Push("welcome", map[string]string{"name": w.name})
	})
	var users bennu.SocketHandler
	users.Channel("counter:*", d)

	talk(&users, `["1","1","counter:a","phx_join",{}]`, "<-", "<-")
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{},"status":"ok"}]
	// ["1",null,"counter:a","welcome",{"name":"Ada"}]
}

// The reply comes from a goroutine, while the channel goes on with other events.
func ExampleReplyRef() {
	d := bennu.Define(joinCounter)
	bennu.On(d, "slow", func(c *counter, ctx context.Context, in total) (bennu.NoReply, error) {
		ref := bennu.ReplyRef(ctx)
		c.Go(func(ctx context.Context) error {
			return ref.Reply(total{in.N * in.N})
		})
		return bennu.NoReply{}, nil
	})
	var users bennu.SocketHandler
	users.Channel("counter:*", d)

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","slow",{"n":12}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["1","2","counter:a","phx_reply",{"response":{"n":144},"status":"ok"}]
}

// Stop says goodbye with the reply and closes the channel.
func ExampleReply() {
	d := bennu.Define(joinCounter)
	bennu.On(d, "finish", func(*counter, context.Context, bennu.Empty) (bennu.Reply, error) {
		return bennu.Reply{Status: "done", Response: total{7}}, bennu.Stop
	})
	var users bennu.SocketHandler
	users.Channel("counter:*", d)

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","finish",{}]`, "<-", "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["1","2","counter:a","phx_reply",{"response":{"n":7},"status":"done"}]
	// ["1","1","counter:a","phx_close",{}]
}

func ExampleDisconnect() {
	d := bennu.Define(joinCounter)
	bennu.On(d, "cheat", func(*counter, context.Context, bennu.Empty) (bennu.NoReply, error) {
		return bennu.NoReply{}, bennu.Disconnect{Code: 4001}
	})
	var users bennu.SocketHandler
	users.Channel("counter:*", d)

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","cheat",{}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// closed with 4001
}

// A panic ends the channel it happened in. Stock clients join again by themselves.
func ExampleChannel_crash() {
	d := bennu.Define(joinCounter)
	bennu.On(d, "add", (*counter).add)
	bennu.On(d, "crash", func(*counter, context.Context, bennu.Empty) (bennu.NoReply, error) {
		panic("a mistake")
	})
	var users bennu.SocketHandler
	users.Channel("counter:*", d)

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["2","2","counter:b","phx_join",{}]`, "<-",
		`["1","3","counter:a","crash",{}]`, "<-",
		`["2","4","counter:b","add",{"by":1}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["2","2","counter:b","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["1","1","counter:a","phx_error",{"reason":"channel_crash"}]
	// ["2","4","counter:b","phx_reply",{"response":{"n":1},"status":"ok"}]
}

func ExampleSocketHandler() {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*counter, any, error) {
		return &counter{Channel: ch}, map[string]any{"you": ch.Socket().Assigned("user")}, nil
	})
	users := bennu.SocketHandler{
		Connect: func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
			name, ok := info.Params.String("user")
			if !ok {
				return bennu.ErrRefused
			}
			s.Assign("user", name)
			return nil
		},
		ID:     func(s *bennu.Socket) string { return fmt.Sprint("user:", s.Assigned("user")) },
		Limits: bennu.Limits{Topics: 10},
	}
	users.Channel("room:*", d)

	endpoint := quiet()
	// The tenant comes with the path, and could name the user as well.
	endpoint.Socket("/socket/:user", &users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{Path: "websocket"})}})
	server := httptest.NewServer(endpoint)
	defer server.Close()
	defer endpoint.Shutdown(context.Background())

	conn, _, _, err := ws.Dial(context.Background(), "ws"+strings.TrimPrefix(server.URL, "http")+"/socket/ada/websocket?vsn=2.0.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	_ = wsutil.WriteClientText(conn, []byte(`["1","1","room:a","phx_join",{}]`))
	receive(conn)
	_ = endpoint.Disconnect("user:ada")
	receive(conn)
	// Output:
	// ["1","1","room:a","phx_reply",{"response":{"you":"ada"},"status":"ok"}]
	// closed with 1001
}

// Middleware wraps the untyped handler below a Definition.
func ExampleMiddleware() {
	announce := func(next bennu.ChannelHandler) bennu.ChannelHandler {
		return joinFunc(func(ctx context.Context, ch *bennu.Channel, p bennu.Payload) (bennu.Instance, bennu.Reply, error) {
			fmt.Println("joining", ch.Topic())
			return next.Join(ctx, ch, p)
		})
	}
	var users bennu.SocketHandler
	users.Channel("counter:*", bennu.Define(joinCounter), announce)

	talk(&users, `["1","1","counter:a","phx_join",{}]`, "<-")
	// Output:
	// joining counter:a
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
}

type joinFunc func(context.Context, *bennu.Channel, bennu.Payload) (bennu.Instance, bennu.Reply, error)

func (f joinFunc) Join(ctx context.Context, ch *bennu.Channel, p bennu.Payload) (bennu.Instance, bennu.Reply, error) {
	return f(ctx, ch, p)
}

func ExampleEndpoint_Broadcast() {
	var users bennu.SocketHandler
	users.Channel("counter:*", bennu.Define(joinCounter))
	endpoint := quiet()
	endpoint.Socket("/socket", &users, nil)

	heard := make(chan struct{})
	sub := endpoint.Subscribe("counter:a", func(_ context.Context, b bennu.Broadcast) {
		fmt.Println(b.Topic, b.Event, string(b.Payload.Data))
		close(heard)
	})
	defer sub.Cancel()
	if err := endpoint.Broadcast("counter:a", "news", map[string]int{"n": 1}); err != nil {
		fmt.Println(err)
	}
	<-heard
	fmt.Println(endpoint.Broadcast("counter:a", "news", []int{1}))
	// Output:
	// counter:a news {"n":1}
	// bennu: the payload of a push or broadcast must encode to a JSON object
}

func ExampleEndpoint_Socket() {
	var users bennu.SocketHandler
	allowed, err := transport.Origins("https://example.com", "https://*.example.com")
	if err != nil {
		fmt.Println(err)
	}
	endpoint := quiet()
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{
		Checks:     transport.Checks{Origin: allowed, AuthToken: true},
		Transports: []transport.Transport{websocket.New(&websocket.Options{MaxMessage: 64 << 10, IdleTimeout: 90 * time.Second})},
	})
	r := httptest.NewRequest(http.MethodGet, "/socket/websocket?vsn=2.0.0", nil)
	r.Header.Set("Origin", "https://evil.test")
	w := httptest.NewRecorder()
	endpoint.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 403
}

// Users log in somewhere else, where they are given a token. Here it lets them in, over
// WebSocket or long polling, until it expires.
func ExampleAuthenticate() {
	keys, err := token.New([]string{strings.Repeat("k", 64)}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	verify := func(_ context.Context, text string) (name string, expires time.Time, err error) {
		claims, err := keys.Verify("user socket", text)
		if name, err = token.As[string](claims, err); err != nil {
			return "", time.Time{}, err
		}
		return name, claims.ExpiresAt, nil
	}
	hello := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*counter, any, error) {
		name, _ := bennu.Identity[string](ch.Socket())
		return &counter{Channel: ch}, map[string]string{"hello": name}, nil
	})
	users := bennu.SocketHandler{
		Connect: bennu.Authenticate(verify),
		// A client that goes on longer than its token pushes a new one.
		Renew: func(ctx context.Context, s *bennu.Socket, text string) (time.Time, error) {
			name, expires, err := verify(ctx, text)
			if was, _ := bennu.Identity[string](s); err != nil || name != was {
				return time.Time{}, bennu.Errorf("unauthorized")
			}
			return expires, nil
		},
	}
	users.Channel("room:*", hello)
	endpoint := quiet()
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{
		Checks:     transport.Checks{AuthToken: true},
		Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)},
	})
	server := httptest.NewServer(endpoint)
	defer server.Close()
	defer endpoint.Shutdown(context.Background())

	// What phoenix.js does with new Socket("/socket", {authToken: text}).
	text, err := keys.Sign("user socket", "ada", token.MaxAge(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	dialer := ws.Dialer{Protocols: []string{"phoenix", "base64url.bearer.phx." + base64.RawStdEncoding.EncodeToString([]byte(text))}}
	conn, _, _, err := dialer.Dial(context.Background(), "ws"+strings.TrimPrefix(server.URL, "http")+"/socket/websocket?vsn=2.0.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	_ = wsutil.WriteClientText(conn, []byte(`["1","1","room:a","phx_join",{}]`))
	receive(conn)
	_ = wsutil.WriteClientText(conn, []byte(`["1","2","room:a","access_token",{"access_token":"a bad one"}]`))
	receive(conn)

	// The same over long polling, without a token and with it. A new session is
	// answered with 410.
	for _, header := range []string{"", text} {
		r, err := http.NewRequest(http.MethodGet, server.URL+"/socket/longpoll?vsn=2.0.0", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		if header != "" {
			r.Header.Set("X-Phoenix-AuthToken", header)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		var envelope struct{ Status int }
		_ = json.NewDecoder(answer.Body).Decode(&envelope)
		_ = answer.Body.Close()
		fmt.Println("long poll:", envelope.Status)
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// ["1","1","room:a","phx_reply",{"response":{"hello":"ada"},"status":"ok"}]
	// ["1","2","room:a","phx_reply",{"response":{"reason":"unauthorized"},"status":"error"}]
	// long poll: 403
	// long poll: 410
}

// Clients that have the token in the URL alone, old ones and those of phones, need TokenParam.
func ExampleAuthenticate_parameter() {
	users := bennu.SocketHandler{
		Connect: bennu.Authenticate(func(_ context.Context, text string) (name string, expires time.Time, err error) {
			if text != "ada's" {
				return "", time.Time{}, errors.New("nobody's token")
			}
			return "ada", time.Time{}, nil
		}),
	}
	endpoint := quiet()
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{
		Checks:     transport.Checks{AuthToken: true, TokenParam: "token"},
		Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)},
	})
	server := httptest.NewServer(endpoint)
	defer server.Close()
	defer endpoint.Shutdown(context.Background())

	// What phoenix.js does with new Socket("/socket", {params: {token: text}}).
	for _, query := range []string{"token=ada%27s", "token=bob%27s", "token=ada%27s&token=bob%27s", "token[a]=b"} {
		conn, _, _, err := ws.Dial(context.Background(), "ws"+strings.TrimPrefix(server.URL, "http")+"/socket/websocket?vsn=2.0.0&"+query)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("connected")
		conn.Close()
	}
	// Output:
	// connected
	// unexpected HTTP response status: 403
	// unexpected HTTP response status: 403
	// unexpected HTTP response status: 403
}

// Anything can say until when a connection is good; here it is over when the user logs
// out.
func ExampleSocket_ExpireAt() {
	users := bennu.SocketHandler{
		Connect: func(_ context.Context, s *bennu.Socket, _ *bennu.ConnectInfo) error {
			s.ExpireAt(time.Now().Add(time.Hour))
			return nil
		},
		ExpiryGrace: time.Second,
	}
	d := bennu.Define(joinCounter)
	bennu.On(d, "log out", func(c *counter, _ context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		c.Socket().ExpireAt(time.Now())
		return bennu.NoReply{}, nil
	})
	users.Channel("counter:*", d)

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","log out",{}]`, "<-", "<-", "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// [null,null,"phoenix","token_expired",{"closes_in":1}]
	// ["1",null,"counter:a","token_expired",{"closes_in":1}]
	// closed with 1008
}

func ExampleNodeLimits() {
	var users bennu.SocketHandler
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{
		Logger: slog.New(slog.DiscardHandler),
		Limits: bennu.NodeLimits{
			Connections: 50_000,
			PerAddress:  1,
			// The proxy in front sets this header, and no client can.
			ClientAddress: func(r *http.Request) string { return r.Header.Get("X-Real-Ip") },
		},
	})
	endpoint.Socket("/socket", &users, nil)
	server := httptest.NewServer(endpoint)
	defer server.Close()
	defer endpoint.Shutdown(context.Background())

	for _, client := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.2"} {
		dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"X-Real-Ip": []string{client}}}
		conn, _, _, err := dialer.Dial(context.Background(), "ws"+strings.TrimPrefix(server.URL, "http")+"/socket/websocket?vsn=2.0.0")
		fmt.Println(client, err)
		if err == nil {
			defer conn.Close()
			// Its answer says that the connection is counted.
			_ = wsutil.WriteClientText(conn, []byte(`[null,"1","phoenix","heartbeat",{}]`))
			receive(conn)
		}
	}
	// Output:
	// 192.0.2.1 <nil>
	// [null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]
	// 192.0.2.2 <nil>
	// [null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]
	// 192.0.2.2 unexpected HTTP response status: 503
}

func ExampleEndpoint_Serve() {
	endpoint := quiet()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background()) // a program uses signal.NotifyContext
	stop()
	fmt.Println(endpoint.Serve(ctx, ln))
	// Output: <nil>
}
