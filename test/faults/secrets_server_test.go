package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// secretServerEnv makes this program the server of TestSecrets; its value is the form
// of the log.
const secretServerEnv = "BENNU_FAULTS_SECRETS"

// runSecretServer serves until its input ends. Its first line on standard output is its
// address, the last its counters; the log goes to standard error, at debug level.
func runSecretServer(form string) (code int) {
	options := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if form == "json" {
		handler = slog.NewJSONHandler(os.Stderr, options)
	}
	e := bennu.NewEndpoint(&bennu.EndpointOptions{
		Logger: slog.New(handler), DrainTime: bennu.Unlimited, Fallback: http.HandlerFunc(secretPage),
	})
	mountSecrets(e)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(ln.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- e.Serve(ctx, ln) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	if err := <-served; err != nil {
		fmt.Println(err)
		code = 1
	}
	fmt.Printf("%+v\n", e.Stats())
	return code
}

// secretPage is a handler of the user's beside the sockets, which crashes over what it
// was asked for.
func secretPage(_ http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/panic/query":
		panic("cannot serve " + r.URL.String())
	case "/panic/header":
		panic(r.Header)
	case "/panic/error":
		panic(&url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New("refused")})
	case "/panic/cookies":
		panic(fmt.Sprintf("cookies: %s", r.Header.Get("Cookie")))
	}
	panic(http.ErrAbortHandler)
}

// login is a payload with a secret in it.
type login struct {
	User     string `json:"user"`
	Password string `json:"password"`
	N        int    `json:"n"`
}

// secretive is a channel that fails in all ways, each time with the secret in what it
// fails with.
type secretive struct {
	*bennu.Channel
	last login
}

func mountSecrets(e *bennu.Endpoint) {
	d := bennu.Define(joinSecretive)
	bennu.On(d, "fail", func(s *secretive, _ context.Context, in login) (bennu.Empty, error) {
		s.last = in
		return bennu.Empty{}, failure(in)
	})
	bennu.On(d, "told", func(_ *secretive, _ context.Context, in login) (bennu.Empty, error) {
		return bennu.Empty{}, bennu.Errorf("unknown user %s", in.User)
	})
	bennu.On(d, "crash", func(_ *secretive, _ context.Context, in login) (bennu.Empty, error) {
		return bennu.Empty{}, fmt.Errorf("%w: %w", failure(in), bennu.Crash)
	})
	bennu.On(d, "panic", func(_ *secretive, _ context.Context, in login) (bennu.Empty, error) { panic(value(in)) })
	bennu.On(d, "info", func(s *secretive, _ context.Context, in login) (bennu.Empty, error) { return bennu.Empty{}, s.Send(in) })
	bennu.On(d, "go", func(s *secretive, _ context.Context, in login) (bennu.Empty, error) {
		s.Go(func(context.Context) error { return failure(in) })
		return bennu.Empty{}, nil
	})
	bennu.On(d, "gopanic", func(s *secretive, _ context.Context, in login) (bennu.Empty, error) {
		s.Go(func(context.Context) error { panic(value(in)) })
		return bennu.Empty{}, nil
	})
	bennu.On(d, "keep", func(s *secretive, _ context.Context, in login) (bennu.Empty, error) {
		s.last = in
		return bennu.Empty{}, nil
	})
	bennu.On(d, "cast", func(s *secretive, _ context.Context, in login) (bennu.Empty, error) {
		return bennu.Empty{}, s.Broadcast("caught", in)
	})
	bennu.On(d, "binary", func(s *secretive, _ context.Context, in login) (bennu.Empty, error) {
		return bennu.Empty{}, s.Push("binary", []byte(in.Password))
	})
	bennu.On(d, "list", func(s *secretive, _ context.Context, in login) (bennu.Empty, error) {
		return bennu.Empty{}, s.Push("list", []string{in.Password})
	})
	bennu.On(d, "map", func(*secretive, context.Context, map[string]int) (bennu.Empty, error) { return bennu.Empty{}, nil })
	bennu.On(d, "valid", func(*secretive, context.Context, validated) (bennu.Empty, error) { return bennu.Empty{}, nil })
	bennu.Intercept(d, "caught", func(_ *secretive, _ context.Context, in login) error { return failure(in) })
	bennu.OnInfo(d, func(_ *secretive, _ context.Context, in login) error { return failure(in) })

	h := &bennu.SocketHandler{
		Connect: connectSecretive,
		ID:      func(s *bennu.Socket) string { return "" },
		Renew: func(_ context.Context, _ *bennu.Socket, token string) (time.Time, error) {
			return time.Time{}, fmt.Errorf("unknown token=%s", token)
		},
	}
	h.Channel("room:*", d)
	checks := transport.Checks{
		AuthToken: true, Subprotocols: []string{"chat"},
		Session: &transport.SessionCheck{
			Read: func(r *http.Request) (map[string]any, bool) {
				c, err := r.Cookie("_app_session")
				if err != nil {
					return nil, false
				}
				return map[string]any{"user_token": c.Value}, true
			},
			CSRF: func(_ map[string]any, token string) bool { return token != "" },
		},
	}
	both := []transport.Transport{websocket.New(nil), longpoll.New(nil)} // the defaults, which a busy machine keeps
	e.Socket("/socket", h, &bennu.SocketOptions{Checks: checks, Transports: both})

	guarded := &bennu.SocketHandler{Connect: bennu.Authenticate(func(_ context.Context, token string) (string, time.Time, error) {
		return "", time.Time{}, fmt.Errorf("token %q is not known", token)
	})}
	e.Socket("/guarded", guarded, &bennu.SocketOptions{Checks: checks, Transports: both})

	reasons := &bennu.SocketHandler{Connect: connectSecretive}
	shown := &bennu.SocketOptions{Checks: checks}
	shown.ErrorHandler = func(_ http.ResponseWriter, _ *http.Request, err error) { panic(err) }
	e.Socket("/reasons", reasons, shown)
}

// connectSecretive does what the parameter "do" says, with what the request has.
func connectSecretive(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
	token, _ := info.Params.String("token")
	if info.AuthToken != nil {
		token = *info.AuthToken
	}
	do, _ := info.Params.String("do")
	switch do {
	case "":
		return nil
	case "refuse":
		return bennu.ErrRefused
	case "reason":
		return fmt.Errorf("unknown auth token: %s", token)
	case "info":
		panic(info)
	case "url":
		panic(&url.Error{Op: "Get", URL: info.URI().String(), Err: errors.New("refused")})
	case "params":
		panic(map[string]any{"params": map[string]any{"token": token, "_csrf_token": info.Params["_csrf_token"]}})
	case "session":
		panic(info.Session)
	case "headers":
		panic(fmt.Sprintf("%v", http.Header{"Cookie": {"_app_session=" + token}, "Authorization": {"Bearer " + token}}))
	}
	panic(value(login{User: do, Password: token}))
}

func joinSecretive(_ context.Context, ch *bennu.Channel, in login) (*secretive, bennu.Empty, error) {
	switch in.User {
	case "refuse":
		return nil, bennu.Empty{}, bennu.Errorf("no")
	case "fail":
		return nil, bennu.Empty{}, failure(in)
	}
	if ch.Topic() == "room:panic" {
		panic(value(in))
	}
	return &secretive{ch, in}, bennu.Empty{}, nil
}

// Terminate panics over what the channel keeps, if that is wanted.
func (s *secretive) Terminate(error) {
	if s.last.User == "terminate" {
		panic(s.last)
	}
}

// validated is a payload that is never right.
type validated struct {
	Password string `json:"password"`
}

func (v validated) Validate() error { return fmt.Errorf("password %q is too short", v.Password) }

// failure is an error that quotes the secret as errors do, beside its name.
func failure(in login) error {
	switch in.User {
	case "query":
		return &url.Error{Op: "Post", URL: "https://api.test/v1?user=bob&api_key=" + url.QueryEscape(in.Password), Err: errors.New("timeout")}
	case "userinfo":
		return fmt.Errorf("dial postgres://bob:%s@db.test/app: refused", in.Password)
	case "json":
		return fmt.Errorf("unexpected body {\"user\":\"bob\",\"password\":%q}", in.Password)
	case "bearer":
		return fmt.Errorf("upstream refused header Authorization: Bearer %s", in.Password)
	case "fields":
		return fmt.Errorf("cannot log in %+v", in)
	}
	return fmt.Errorf("login failed: password=%s", in.Password)
}

// value is what a program may panic with.
func value(in login) any {
	switch in.User {
	case "struct":
		return in
	case "pointer":
		return &in
	case "map":
		return map[string]string{"password": in.Password}
	case "header":
		return http.Header{"X-Api-Key": {in.Password}, "Set-Cookie": {"a=" + in.Password}}
	case "string":
		return "bad secret: " + in.Password
	case "bytes":
		return []byte(`{"password":"` + in.Password + `"}`)
	}
	return failure(in)
}
