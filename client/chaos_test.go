package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/conformance/app"
)

// Many goroutines call everything at once, on connections that are cut. There is no deadlock, and
// no goroutine is left when the socket is closed meanwhile.
func TestEverythingAtOnce(t *testing.T) {
	run(t, []mode{wsV2, lpV2}, func(t *testing.T, m mode, url string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		proxy := newCutter(t, strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/socket"), seed, 20_000)
		s := m.connect(t, "http://"+proxy.ln.Addr().String()+"/socket", &client.Options{
			ReconnectAfter: soon, RejoinAfter: soon, Timeout: 2 * time.Second, MaxQueued: 20, MaxBuffered: 100,
			HeartbeatInterval: 5 * time.Millisecond, Trace: &client.Trace{State: func(*client.Channel, client.State, error) {}},
		})
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for g := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(g)))
				for ctx.Err() == nil {
					ch := s.Channel(fmt.Sprintf("room:%d", r.IntN(4)), nil)
					events := ch.Events(ctx)
					client.On(ch, "bc", func(object) { _, _ = ch.Push(ctx, "ok", nil) })
					if _, err := ch.Join(ctx); err != nil && s.Err() != nil {
						return
					}
					for range r.IntN(20) {
						switch r.IntN(6) {
						case 0:
							_ = ch.Send("boom", nil)
						case 1:
							_ = ch.Send("bc", object{"x": strings.Repeat("x", r.IntN(1000))})
						case 2:
							_, _ = s.Ping(ctx)
						default:
							c, stop := context.WithTimeout(ctx, time.Duration(r.IntN(20))*time.Millisecond)
							_, _ = ch.Push(c, "echo", nil)
							stop()
						}
					}
					if r.IntN(2) == 0 {
						_ = ch.Leave(ctx)
					}
					for range events {
						if r.IntN(3) == 0 {
							break
						}
					}
				}
			})
		}
		eventually(t, "50 cuts", func() bool { return proxy.count() >= 50 })
		done := make(chan struct{})
		go func() {
			defer close(done)
			closeSocket(t, s)
		}()
		next(t, "Close", done)
		cancel()
		wg.Wait()
	})
}

// TLS and cookies are those of the HTTP client, also if it speaks HTTP/2 for other requests.
func TestTLSAndCookies(t *testing.T) {
	endpoint := app.NewPatient(slog.New(slog.DiscardHandler))
	var mu sync.Mutex
	cookies := map[string]bool{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("sticky"); err == nil {
			mu.Lock()
			cookies[c.Value] = true
			mu.Unlock()
		}
		http.SetCookie(w, &http.Cookie{Name: "sticky", Value: "node1", Path: "/"})
		endpoint.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	defer func() { _ = endpoint.Shutdown(context.Background()) }()
	for _, m := range []mode{wsV2, lpV2} {
		t.Run(m.name, func(t *testing.T) {
			transport := server.Client().Transport.(*http.Transport).Clone()
			transport.ForceAttemptHTTP2 = true
			defer transport.CloseIdleConnections()
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			s := m.dial(t, "wss"+strings.TrimPrefix(server.URL, "https")+"/socket", &client.Options{
				HTTPClient: &http.Client{Transport: transport, Jar: jar}, ReconnectAfter: soon,
			})
			ch := join(t, s, "room:tls", nil)
			if _, err := ch.Push(t.Context(), "echo", nil); err != nil {
				t.Error(err)
			}
			if m == lpV2 {
				mu.Lock()
				defer mu.Unlock()
				if !cookies["node1"] {
					t.Error("the cookie did not come back")
				}
			}
			closeSocket(t, s)
		})
	}
	_, err := client.Dial(t.Context(), server.URL+"/socket", &client.Options{HTTPClient: httpClient(t)})
	var unknown *tls.CertificateVerificationError
	if !errors.As(err, &unknown) {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
}
