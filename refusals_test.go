package bennu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// says waits until a reason was counted, and wants a line of it that an operator sees by default
// and that has all of some texts.
func (s *server) says(t *testing.T, k notice.Kind, texts ...string) {
	t.Helper()
	e := k.Entry()
	eventually(t, e.Name+" is counted", func() bool { return s.Stats().Reasons[e.Name] > 0 })
	eventually(t, e.Name+" is logged", func() bool { return len(s.log.about(e.Message)) > 0 })
	if e.Level < slog.LevelInfo {
		t.Errorf("%s is not seen by default", e.Name)
	}
	lines := s.log.about(e.Message)
	line := lines[len(lines)-1]
	for _, text := range append(texts, "reason="+e.Name, "fix="+e.Fix) {
		if !strings.Contains(line, text) {
			t.Errorf("the line lacks %q: %s", text, line)
		}
	}
}

// request asks the server for a path below its socket's, with header lines, and returns the
// status.
func (s *server) request(t *testing.T, method, path string, lines ...string) int {
	t.Helper()
	base, _, _ := strings.Cut(strings.Replace(s.url, "ws", "http", 1), "/socket")
	r, err := http.NewRequest(method, base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var envelope struct{ Status int }
	if json.Unmarshal(body, &envelope) == nil && envelope.Status != 0 {
		return envelope.Status
	}
	return answer.StatusCode
}

// TestRefusedRequests has a line in the log for each way in which a request is refused, over
// both transports.
func TestRefusedRequests(t *testing.T) {
	const ws, lp = "/socket/websocket", "/socket/longpoll"
	returns := func(err error) func(*bennu.SocketHandler, *bennu.SocketOptions, *bennu.EndpointOptions) {
		return func(h *bennu.SocketHandler, _ *bennu.SocketOptions, _ *bennu.EndpointOptions) {
			h.Connect = func(context.Context, *bennu.Socket, *bennu.ConnectInfo) error { return err }
		}
	}
	authenticate := func(on bool) func(*bennu.SocketHandler, *bennu.SocketOptions, *bennu.EndpointOptions) {
		return func(h *bennu.SocketHandler, o *bennu.SocketOptions, _ *bennu.EndpointOptions) {
			o.AuthToken = on
			h.Connect = bennu.Authenticate(func(_ context.Context, text string) (int, time.Time, error) {
				return 0, time.Time{}, errors.New("cannot read " + text)
			})
		}
	}
	token := map[string]string{ws: offer("hush-hush"), lp: "X-Phoenix-AuthToken: hush-hush"}
	for name, c := range map[string]struct {
		set    func(*bennu.SocketHandler, *bennu.SocketOptions, *bennu.EndpointOptions)
		method string
		query  string
		lines  []string
		only   string // transport
		token  bool
		status int
		kind   notice.Kind
		texts  []string
	}{
		"foreign origin":   {lines: []string{"Origin: https://app.example"}, status: 403, kind: notice.Origin, texts: []string{"origin=https://app.example", "Checks.Origin"}},
		"origin of nobody": {lines: []string{"Origin: null"}, status: 403, kind: notice.Origin, texts: []string{"origin=null", "host=127.0.0.1"}},
		"origin to forge a line": {lines: []string{"Origin: https://a.test/\u202e" + strings.Repeat("x", 2000)}, status: 403, kind: notice.Origin,
			texts: []string{`origin=https://a.test/\u202exxx`, "xxx..."}},
		"URL":           {query: "&x=" + strings.Repeat("x", 9000), status: 414, kind: notice.URL},
		"header":        {lines: []string{"X-A: " + strings.Repeat("x", 15000), "X-B: " + strings.Repeat("x", 1500)}, status: 431, kind: notice.Header},
		"parameters":    {query: strings.Repeat("&a", 70), status: 400, kind: notice.Params, texts: []string{"error=bennu: query with more than 64 parameters"}},
		"path not UTF8": {query: "&a=%ff", status: 400, kind: notice.Params, texts: []string{"not UTF-8"}},
		"method":        {method: http.MethodPut, status: 400, kind: notice.Method, texts: []string{"method=PUT"}},
		"no version":    {query: "&vsn=hush-hush", status: 403, kind: notice.Version, texts: []string{"vsn=(no version)"}},
		"version":       {query: "&vsn=9.9.9", status: 403, kind: notice.Version, texts: []string{"vsn=9.9.9", "Serializers"}},
		"refused":       {set: returns(bennu.ErrRefused), status: 403, kind: notice.ConnectRefused},
		"error":         {set: returns(errors.New("database is down, password=secret7")), status: 403, kind: notice.ConnectError, texts: []string{"error=database is down, password=[FILTERED]"}},
		"error told":    {set: returns(&bennu.Error{Reason: "banned"}), status: 403, kind: notice.ConnectError, texts: []string{"error=banned"}},
		"no AuthToken":  {set: authenticate(false), token: true, status: 403, kind: notice.AuthTokenOff, texts: []string{"AuthToken"}},
		"no token":      {set: authenticate(true), status: 403, kind: notice.NoAuthToken},
		"bad token":     {set: authenticate(true), token: true, status: 403, kind: notice.AuthTokenRefused},
		"panic": {only: ws, set: func(h *bennu.SocketHandler, _ *bennu.SocketOptions, _ *bennu.EndpointOptions) {
			h.ID = func(*bennu.Socket) string { panic("no id") }
		}, status: 500, kind: notice.WebSocketAcceptor, texts: []string{"panic=no id", "refusals_test.go:"}},
		"panic of a poll": {only: lp, set: func(h *bennu.SocketHandler, _ *bennu.SocketOptions, _ *bennu.EndpointOptions) {
			h.ID = func(*bennu.Socket) string { panic("no id") }
		}, status: 500, kind: notice.LongPollAcceptor, texts: []string{"panic=no id", "refusals_test.go:"}},
		"too long": {set: func(h *bennu.SocketHandler, _ *bennu.SocketOptions, _ *bennu.EndpointOptions) {
			h.Limits.ConnectTimeout = time.Millisecond
			h.Connect = func(ctx context.Context, _ *bennu.Socket, _ *bennu.ConnectInfo) error {
				<-ctx.Done()
				return ctx.Err()
			}
		}, status: 503, kind: notice.ConnectTimeout, texts: []string{"limit=1ms", "ConnectTimeout"}},
		"none allowed": {set: func(_ *bennu.SocketHandler, _ *bennu.SocketOptions, o *bennu.EndpointOptions) {
			o.Limits.PerAddress = 1
			o.Limits.ClientAddress = func(*http.Request) string { return "192.0.2.9:80" }
		}, status: 0, kind: notice.PerAddress, texts: []string{"address=192.0.2.9", "limit=1", "ClientAddress"}},
		"not base64": {only: ws, set: authenticate(true), lines: []string{"Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.!hush-hush"}, status: 403, kind: notice.TokenEncoding},
		"subprotocol": {only: ws, set: func(_ *bennu.SocketHandler, o *bennu.SocketOptions, _ *bennu.EndpointOptions) {
			o.Subprotocols = []string{"a"}
		}, lines: []string{"Sec-WebSocket-Protocol: b, Base64Url.bearer.phx.aHVzaC1odXNo"}, status: 403, kind: notice.Subprotocol, texts: []string{"known=a "}},
		"not an upgrade": {only: ws, status: 400, kind: notice.UpgradeHeaders, texts: []string{"error=websocket: header Connection lacks upgrade"}},
		"fetched by another site": {only: lp, method: http.MethodPost, lines: []string{"Sec-Fetch-Site: cross-site"}, status: 403, kind: notice.Origin,
			texts: []string{"fetch_site=cross-site"}},
		"image of a page": {lines: []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors"}, status: 403, kind: notice.Origin,
			texts: []string{"fetch_site=same-origin fetch_mode=no-cors"}},
		"image, over plain HTTP": {only: lp, lines: []string{"Referer: http://evil.test/hush-hush"}, status: 403, kind: notice.Origin,
			texts: []string{"referer_host=evil.test"}},
		"token of nobody":   {only: lp, query: "&token=x", method: http.MethodPost, status: 410, kind: notice.SessionToken, texts: []string{"EndpointOptions.Secret"}},
		"post without any":  {only: lp, method: http.MethodPost, status: 410, kind: notice.SessionToken},
		"sessions of one":   {only: lp, status: 0, kind: notice.SessionsPerAddress, texts: []string{"limit=1", "ClientAddress", "counted_as=127.0.0.1"}},
		"session not shown": {status: 0, kind: notice.NoSession, lines: []string{"Cookie: s=1"}, texts: []string{"sends_param=false"}},
	} {
		for _, path := range []string{ws, lp} {
			if c.only != "" && c.only != path {
				continue
			}
			t.Run(name+" at "+path, func(t *testing.T) {
				users, mount, options := one("*", rooms()), &bennu.SocketOptions{LongPoll: &longpoll.Options{}}, &bennu.EndpointOptions{}
				if c.kind == notice.SessionsPerAddress {
					mount.LongPoll.MaxSessionsPerAddress = 1
				}
				if c.kind == notice.NoSession {
					mount.Session = &transport.SessionCheck{
						Read: func(*http.Request) (map[string]any, bool) { return nil, true },
						CSRF: func(map[string]any, string) bool { return true },
					}
				}
				if c.set != nil {
					c.set(users, mount, options)
				}
				s := serve(t, users, mount, options)
				lines := c.lines
				if c.token {
					lines = append(lines, token[path])
				}
				method := http.MethodGet
				if c.method != "" {
					method = c.method
				}
				query := "?vsn=2.0.0" + c.query
				if c.kind == notice.Version {
					query = "?" + c.query
				}
				if c.status == 0 { // what is let in, or refused at the second time
					wstest.DialLongPoll(t, s.polls(), lines...)
					if path == ws {
						wstest.Open(t, s.url, lines...)
					} else {
						s.request(t, method, path+query, lines...)
					}
				} else if got := s.request(t, method, path+query, lines...); got != c.status {
					t.Errorf("answered %d, want %d", got, c.status)
				}
				s.says(t, c.kind, append(c.texts, "mount=/socket", "transport="+strings.TrimPrefix(path, "/socket/"), "address=")...)
				if all := s.log.all(); strings.Contains(all, "hush-hush") || strings.Contains(all, "aHVzaC1odXNo") || strings.Contains(all, "secret7") {
					t.Errorf("a secret is in the log: %s", all)
				}
			})
		}
	}
}

// TestTokenFault has package token say what is wrong with a token, without the token.
func TestTokenFault(t *testing.T) {
	keys, verify := verifier(t)
	users := one("*", rooms())
	users.Connect = bennu.Authenticate(verify)
	s := serve(t, users, &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true}}, nil)
	wstest.Open(t, s.url, offer(sign(t, keys, "another salt")))
	s.says(t, notice.AuthTokenRefused, "error=invalid")
}

// TestAuthTokenOffIsSaidAtStart mounts Authenticate where it can let nobody in.
func TestAuthTokenOffIsSaidAtStart(t *testing.T) {
	_, verify := verifier(t)
	users := one("*", rooms())
	users.Connect = bennu.Authenticate(verify)
	s := serve(t, users, nil, nil)
	s.says(t, notice.AuthTokenOff, "mount=/socket", "AuthToken")
	for name, checks := range map[string]transport.Checks{"AuthToken": {AuthToken: true}, "TokenParam": {TokenParam: "token"}} {
		good := serve(t, users, &bennu.SocketOptions{Checks: checks}, nil)
		if n := good.Stats().Reasons["auth_token_off"]; n != 0 {
			t.Errorf("said %d times of a mount with %s", n, name)
		}
	}
}

// TestUnmounted asks for what is not mounted.
func TestUnmounted(t *testing.T) {
	for name, c := range map[string]struct {
		mount *bennu.SocketOptions
		path  string
		lines []string
		kind  notice.Kind
		texts []string
	}{
		"polls without long polling":    {nil, "/socket/longpoll?vsn=2.0.0", nil, notice.NoLongPoll, []string{"path=/socket/longpoll", "SocketOptions.LongPoll"}},
		"polls at a path of its own":    {&bennu.SocketOptions{LongPollPath: "lp"}, "/socket/lp?vsn=2.0.0", nil, notice.NoLongPoll, []string{"path=/socket/lp"}},
		"a WebSocket without WebSocket": {&bennu.SocketOptions{NoWebSocket: true, LongPoll: &longpoll.Options{}}, "/socket/websocket", nil, notice.NoWebSocket, []string{"NoWebSocket"}},
		"another path":                  {nil, "/sockets/websocket?vsn=2.0.0", nil, notice.NotMounted, []string{"path=/sockets/websocket", "mounted=/socket/websocket"}},
		"the mount itself":              {nil, "/socket?vsn=2.0.0", nil, notice.NotMounted, []string{"path=/socket "}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, one("*", rooms()), c.mount, nil)
			if status := s.request(t, http.MethodGet, c.path, c.lines...); status != http.StatusNotFound {
				t.Errorf("answered %d", status)
			}
			s.says(t, c.kind, append(c.texts, "address=127.0.0.1")...)
		})
	}
	t.Run("no socket", func(t *testing.T) {
		s := serve(t, one("*", rooms()), nil, nil)
		s.request(t, http.MethodGet, "/favicon.ico")
		if all := s.log.all(); strings.Contains(all, "favicon") {
			t.Errorf("logged: %s", all)
		}
	})
	t.Run("a Fallback of the program's", func(t *testing.T) {
		s := serve(t, one("*", rooms()), nil, &bennu.EndpointOptions{Fallback: http.NotFoundHandler()})
		s.request(t, http.MethodGet, "/other/websocket?vsn=2.0.0")
		s.request(t, http.MethodGet, "/socket/longpoll?vsn=2.0.0")
		s.says(t, notice.NoLongPoll)
		if n := s.Stats().Reasons["not_mounted"]; n != 0 {
			t.Errorf("what the Fallback serves is called unmounted")
		}
	})
}

// wrapped hides the connection of a ResponseWriter.
type wrapped struct{ http.ResponseWriter }

// TestHijack has a middleware whose ResponseWriter cannot be hijacked.
func TestHijack(t *testing.T) {
	book := newLogbook()
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(book)})
	e.Socket("/socket", one("*", rooms()), nil)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.ServeHTTP(wrapped{w}, r) }))
	defer h.Close()
	s := &server{Endpoint: e, log: book}
	if c, answer := wstest.Open(t, "ws"+strings.TrimPrefix(h.URL, "http")+"/socket/websocket?vsn=2.0.0"); c != nil || answer.StatusCode != http.StatusInternalServerError {
		t.Errorf("answered %s", answer.Status)
	}
	s.says(t, notice.Hijack, "mount=/socket", "Unwrap")
}

// TestClosedConnections has a line in the log for each way in which the server closes a
// connection, or refuses a message, with who and where that was.
func TestClosedConnections(t *testing.T) {
	type do = func(c *wstest.Client)
	send := func(frames ...wstest.Frame) do { return func(c *wstest.Client) { c.Send(frames...) } }
	text := func(messages ...string) do {
		return func(c *wstest.Client) {
			for _, m := range messages {
				c.Send(wstest.Text(m))
			}
		}
	}
	pings := make([]wstest.Frame, 40)
	for i := range pings {
		pings[i] = wstest.Ping("x")
	}
	for name, c := range map[string]struct {
		do    do
		kind  notice.Kind
		texts []string
	}{
		"protocol":        {send(wstest.Frame{Op: 0x3}), notice.Protocol, []string{"code=1002", "error="}},
		"not UTF-8":       {send(wstest.Frame{Op: wstest.OpText, Payload: []byte("\xff")}), notice.Protocol, []string{"code=1007"}},
		"large":           {text(strings.Repeat("x", 5000)), notice.TooBig, []string{"code=1009", "limit=4096", "MaxMessage"}},
		"controls":        {send(pings...), notice.ControlFrames, []string{"code=1008", "limit=20", "MaxControlRate"}},
		"malformed":       {text(`["1"`), notice.Malformed, []string{"code=1011", "error="}},
		"tokens":          {text(`["1","1","room:1","echo",[` + strings.Repeat("1,", 100) + `1]]`), notice.Unwelcome, []string{"topic=room:1", "limit=100", "MessageTokens"}},
		"deep":            {text(`["1","1","room:1","echo",` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `]`), notice.Unwelcome, []string{"limit=64"}},
		"unmatched":       {text(`["1","1","rooms:1","phx_join",{}]`), notice.Unmatched, []string{"topic=rooms:1", "patterns=room:*", "hint=no pattern begins like the topic"}},
		"matched no more": {text(`["1","1","room","phx_join",{}]`), notice.Unmatched, []string{"topic=room ", "patterns=room:*"}},
		"no topic":        {text(`["1","1",7,"phx_join",{}]`), notice.Unmatched, []string{"hint=the topic is no text"}},
		"not joined":      {text(`["1","1","room:1","echo",{}]`), notice.NotJoined, []string{"topic=room:1", "event=echo"}},
		"topics":          {text(`["1","1","room:1","phx_join",{}]`, `["2","2","room:2","phx_join",{}]`), notice.TooManyTopics, []string{"topic=room:2", "limit=1", "Limits.Topics"}},
		"joins":           {text(`["1","1","room:1","phx_join",{}]`, `["2","2","room:1","phx_join",{}]`, `["3","3","room:1","phx_join",{}]`), notice.TooManyJoins, []string{"topic=room:1", "JoinBurst"}},
		"unknown event":   {text(`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","nope",{}]`), notice.UnknownEvent, []string{"topic=room:1", "callback=event", "event=nope"}},
		"error":           {text(`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","fail",{}]`), notice.HandlerFailed, []string{"topic=room:1", "callback=event", "event=fail", "error=no database"}},
		"payload":         {text(`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","typed",{"n":"x"}]`), notice.InvalidPayload, []string{"topic=room:1", "callback=event", "event=typed", "field=n"}},
		"panic":           {text(`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","boom",{}]`), notice.ChannelCrash, []string{"topic=room:1", "callback=event", "event=boom", "error=bennu: callback panicked: boom", "refusals_test.go:"}},
		"info":            {text(`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","info",{}]`), notice.CallbackFailed, []string{"topic=room:1", "callback=info", "event=bennu_test.worry", "error=worried"}},
		"info of nobody":  {text(`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","send",{}]`), notice.CallbackFailed, []string{"topic=room:1", "callback=info", "event=int", "register one with OnInfo"}},
		"intercept":       {text(`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","shout",{}]`), notice.CallbackFailed, []string{"topic=room:1", "callback=intercept", "event=shouted", "error=not heard"}},
		"task":            {text(`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","go",{}]`), notice.ChannelCrash, []string{"topic=room:1", "callback=task", "error=bennu: callback panicked: task", "refusals_test.go:"}},
		"join":            {text(`["1","1","room:boom","phx_join",{}]`), notice.JoinCrash, []string{"topic=room:boom", "callback=join", "refusals_test.go:"}},
		"join fails":      {text(`["1","1","room:fail","phx_join",{}]`), notice.HandlerFailed, []string{"topic=room:fail", "callback=join", "error=no room"}},
		"join hangs":      {text(`["1","1","room:hang","phx_join",{}]`), notice.JoinTimeout, []string{"topic=room:hang", "callback=join", "JoinTimeout"}},
		"idle":            {func(*wstest.Client) {}, notice.Idle, []string{"IdleTimeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, o *bennu.EndpointOptions) {
				users := &bennu.SocketHandler{ID: func(*bennu.Socket) string { return "user:7" }}
				users.Channel("room:*", worried())
				mount := &bennu.SocketOptions{WebSocket: websocket.Options{MaxMessage: 4096}}
				switch c.kind {
				case notice.Idle:
					mount.WebSocket.IdleTimeout = 60 * time.Millisecond
				case notice.Unwelcome:
					users.Limits.MessageTokens = 100
				case notice.TooManyTopics:
					users.Limits.Topics = 1
				case notice.TooManyJoins:
					users.Limits.JoinBurst, users.Limits.JoinRate = 1, 1
				case notice.JoinTimeout:
					users.Limits.JoinTimeout = time.Millisecond
				}
				s := serve(t, users, mount, o)
				c.do(wstest.Dial(t, s.url))
				s.says(t, c.kind, append(c.texts, "socket_id=user:7", "mount=/socket", "transport=websocket", "address=127.0.0.1:")...)
			})
		})
	}
}

type worry struct{}

// worried is a channel in which everything fails that is asked to.
func worried() *bennu.Definition[*room] {
	d := bennu.Define(func(ctx context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		switch ch.Topic() {
		case "room:boom":
			panic("join")
		case "room:fail":
			return nil, bennu.Empty{}, errors.New("no room")
		case "room:hang":
			<-ctx.Done()
		}
		return &room{ch}, bennu.Empty{}, nil
	})
	on := func(event string, f func(r *room) error) {
		bennu.On(d, event, func(r *room, _ context.Context, _ bennu.Empty) (bennu.NoReply, error) { return bennu.NoReply{}, f(r) })
	}
	on("fail", func(*room) error { return errors.New("no database") })
	on("boom", func(*room) error { panic("boom") })
	on("info", func(r *room) error { return r.Send(worry{}) })
	on("send", func(r *room) error { return r.Send(7) })
	on("shout", func(r *room) error { return r.Broadcast("shouted", nil) })
	on("go", func(r *room) error {
		r.Go(func(context.Context) error { panic("task") })
		return nil
	})
	bennu.On(d, "typed", func(_ *room, _ context.Context, in struct {
		N int `json:"n"`
	}) (bennu.Empty, error) {
		return bennu.Empty{}, nil
	})
	bennu.OnInfo(d, func(*room, context.Context, worry) error { return errors.New("worried") })
	bennu.Intercept(d, "shouted", func(*room, context.Context, bennu.Empty) error { return errors.New("not heard") })
	return d
}

type lockedBuffer = waittest.Buffer

// TestStackInJSON has a handler panic: the line in a JSON log has the stack as a list, whose
// first entry is where it panicked.
func TestStackInJSON(t *testing.T) {
	var out lockedBuffer
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	users := &bennu.SocketHandler{}
	users.Channel("room:*", worried())
	e.Socket("/socket", users, nil)
	h := httptest.NewUnstartedServer(e)
	h.Config = e.Server()
	h.Start()
	defer h.Close()
	c := wstest.Dial(t, "ws"+strings.TrimPrefix(h.URL, "http")+"/socket/websocket?vsn=2.0.0")
	c.Join("room:1")
	c.Push("room:1", "boom", "{}")
	eventually(t, "the line", func() bool { return strings.Contains(out.String(), `"channel_crash"`) })
	for line := range strings.Lines(out.String()) {
		var l struct {
			Reason string
			Event  string
			Stack  []string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Reason != "channel_crash" {
			continue
		}
		if l.Event != "boom" || len(l.Stack) == 0 || !strings.Contains(l.Stack[0], "refusals_test.go:") || strings.ContainsAny(fmt.Sprint(l.Stack), "\n\t\\") {
			t.Errorf("event %q, stack %q", l.Event, l.Stack)
		}
	}
}
