package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) { waittest.Main(m) }

// The ways to mount an endpoint, those that work and those that do not. In a row without
// other wants a WebSocket and a session of long polling open, and both echo.
func TestMounting(t *testing.T) {
	slash := func(endpoint http.Handler) http.Handler { return newMux(endpoint) }
	mux := func(pattern string, wrap ...func(http.Handler) http.Handler) func(http.Handler) http.Handler {
		return func(endpoint http.Handler) http.Handler {
			for _, w := range wrap {
				endpoint = w(endpoint)
			}
			m := http.NewServeMux()
			m.Handle(pattern, endpoint)
			return m
		}
	}
	strip := func(prefix string) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler { return http.StripPrefix(prefix, h) }
	}
	tests := []struct {
		name  string
		path  string // of the mount
		at    string // of the requests
		mount func(http.Handler) http.Handler
		// The statuses of a WebSocket, the first poll and a post, if not 101, 200 and 200.
		socket, poll, post int
	}{
		{name: "ServeMux", path: "/socket", at: "/socket", mount: slash},
		{name: "ServeMux, no slash", path: "/socket", at: "/socket", mount: mux("/socket"), socket: 404, poll: 404},
		{name: "ServeMux, one method", path: "/socket", at: "/socket", mount: mux("GET /socket/"), post: 405},
		{name: "ServeMux, prefix taken away", path: "/socket", at: "/api/socket", mount: mux("/api/", strip("/api"))},
		{name: "ServeMux, too much taken away", path: "/socket", at: "/socket", mount: mux("/socket/", strip("/socket")), socket: 404, poll: 404},
		{name: "ServeMux, variable", path: "/of/:tenant/socket", at: "/of/a/socket", mount: mux("/of/{tenant}/socket/")},
		{name: "chi", path: "/socket", at: "/socket", mount: newRouter},
		{name: "chi, below a route", path: "/api/socket", at: "/api/socket", mount: newVersions},
		{name: "chi, below a route, mounted at its end", path: "/socket", at: "/api/socket", mount: newVersions, socket: 404, poll: 404},
		{name: "chi, one method", path: "/socket", at: "/socket", mount: func(endpoint http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Get("/socket/*", endpoint.ServeHTTP)
			return r
		}, post: 405},
		{name: "chi's own middleware", path: "/socket", at: "/socket", mount: mux("/socket/", middleware.Logger, middleware.Recoverer, middleware.RequestID, middleware.Compress(5))},
		{name: "middleware", path: "/socket", at: "/socket", mount: mux("/socket/", logged)},
		{name: "middleware that hides the writer", path: "/socket", at: "/socket", mount: mux("/socket/", hides), socket: 500},
		{name: "gzip that hides the writer", path: "/socket", at: "/socket", mount: mux("/socket/", zips), socket: 500},
		{name: "http.TimeoutHandler", path: "/socket", at: "/socket", mount: mux("/socket/", func(h http.Handler) http.Handler {
			return http.TimeoutHandler(h, time.Minute, "")
		}), socket: 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			endpoint := newEndpoint(tt.path)
			server := httptest.NewServer(tt.mount(endpoint))
			defer server.Close()
			defer endpoint.Shutdown(context.Background())
			base := server.URL + tt.at

			c, answer := wstest.Open(t, "ws"+strings.TrimPrefix(base, "http")+"/websocket?vsn=2.0.0")
			if answer.StatusCode != or(tt.socket, 101) {
				t.Errorf("WebSocket: %s", answer.Status)
			}
			if c != nil {
				c.Join("room:a")
				c.Want("room:a", "echo", `{"n":1}`, "ok", `{"n":1}`)
				c.Abort()
			}

			poll, token := request(t, http.MethodGet, base+"/longpoll?vsn=2.0.0", "")
			if poll != or(tt.poll, 200) {
				t.Fatalf("poll: status %d", poll)
			}
			if token == "" {
				return
			}
			post, _ := request(t, http.MethodPost, base+"/longpoll?vsn=2.0.0&token="+token, wstest.V2(`"1"`, `"1"`, "room:a", "phx_join", "{}"))
			if post != or(tt.post, 200) {
				t.Errorf("post: status %d", post)
			}
			if post == 200 {
				if _, text := request(t, http.MethodGet, base+"/longpoll?vsn=2.0.0&token="+token, ""); text == "" {
					t.Error("the poll brings nothing")
				}
			}
		})
	}
}

func or(status, otherwise int) int {
	if status != 0 {
		return status
	}
	return otherwise
}

// request returns the HTTP status and the token of the answer.
func request(t *testing.T, method, url, body string) (status int, token string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Token string }
	_ = json.Unmarshal(text, &e) // refusals have none
	return answer.StatusCode, e.Token
}

// hides is a middleware that breaks WebSockets: its writer has no Unwrap.
func hides(next http.Handler) http.Handler {
	type writer struct{ http.ResponseWriter }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(writer{w}, r) })
}

// zips compresses and hides the writer, as many middlewares do.
func zips(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		defer zip.Close()
		next.ServeHTTP(zipWriter{w, zip}, r)
	})
}

type zipWriter struct {
	http.ResponseWriter
	zip io.Writer
}

func (w zipWriter) Write(b []byte) (int, error) {
	w.Header().Del("Content-Length")
	return w.zip.Write(b)
}

// A poll waits longer than the limit of http.TimeoutHandler: it fails each time.
func TestTimeoutHandler(t *testing.T) {
	endpoint := newEndpoint("/socket")
	const moment = 20 * time.Millisecond
	limit := http.NewServeMux()
	limit.Handle("/socket/", endpoint)
	server := httptest.NewServer(limit)
	defer server.Close()
	defer endpoint.Shutdown(context.Background())
	_, token := request(t, http.MethodGet, server.URL+"/socket/longpoll?vsn=2.0.0", "")
	limited := httptest.NewServer(http.TimeoutHandler(limit, moment, ""))
	defer limited.Close()
	if status, _ := request(t, http.MethodGet, limited.URL+"/socket/longpoll?vsn=2.0.0&token="+token, ""); status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", status)
	}
}

// At the end WebSockets are closed with 1012, polls are answered, and the application's own
// requests are finished.
func TestServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := newEndpoint("/socket")
	mux := newMux(endpoint)
	working, finish := make(chan struct{}), make(chan struct{})
	mux.HandleFunc("POST /work", func(http.ResponseWriter, *http.Request) {
		close(working)
		<-finish
	})
	polling := make(chan struct{}, 1)
	noting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("token") {
			polling <- struct{}{}
		}
		mux.ServeHTTP(w, r)
	})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, ln, endpoint, logged(noting)) }()
	base := "http://" + ln.Addr().String()

	socket := wstest.Dial(t, "ws://"+ln.Addr().String()+"/socket/websocket?vsn=2.0.0")
	socket.Join("room:a")
	_, token := request(t, http.MethodGet, base+"/socket/longpoll?vsn=2.0.0", "")
	polled, worked := make(chan int, 1), make(chan int, 1)
	go func() {
		status, _ := request(t, http.MethodGet, base+"/socket/longpoll?vsn=2.0.0&token="+token, "")
		polled <- status
	}()
	go func() {
		status, _ := request(t, http.MethodPost, base+"/work", "")
		worked <- status
	}()
	waittest.Next(t, "the application's own request", working)
	waittest.Next(t, "the poll", polling) // or it might find nobody who listens

	stop()
	socket.ExpectClose(1012)
	if status := waittest.Next(t, "the end of the poll", polled); status != 200 && status != 503 {
		t.Errorf("the poll: status %d", status)
	}
	close(finish)
	if status := waittest.Next(t, "the end of the application's own request", worked); status != 200 {
		t.Errorf("the application's own request: status %d", status)
	}
	if err := waittest.Next(t, "the end of serve", served); err != nil {
		t.Errorf("serve: %v", err)
	}
}
