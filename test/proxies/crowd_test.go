package proxies

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport/longpoll"
)

// crowd is more than the limit of one address, which is 100 connections by the recipe
// and 64 sessions of long polling by default.
const crowd = 200

// patience bounds what a whole crowd does. It is no measure of speed.
const patience = 6 * time.Minute

// With the recipe come many clients at once, each from an address of its own, over both
// transports, from a page of the proxy's address. All are let in, and hear what is said;
// pages of other addresses are not let in.
func TestCrowd(t *testing.T) {
	forEach(t, func(t *testing.T, k *kind) {
		s := startServer(t)
		p := startProxy(t, k, documented, s.backend)
		var all []*visit
		for i := range crowd {
			for _, transport := range []string{"websocket", "longpoll"} {
				all = append(all, newVisit(t, p, i, transport))
			}
		}
		each(t, all, (*visit).join)
		if err := s.behind.Broadcast("room:crowd", "all", map[string]int{"n": 1}); err != nil {
			t.Fatal(err)
		}
		each(t, all, (*visit).hear)
		for _, path := range []string{"websocket", "longpoll"} {
			for _, origin := range []string{"https://evil.example", "https://" + p.addr, "http://" + p.tlsAddr} {
				if got := ask(t, p, path, 0, origin, nil); got != http.StatusForbidden {
					t.Errorf("%s from %s: status %d, want 403", path, origin, got)
				}
			}
		}
		// Nobody is refused without a word.
		if log := s.said(); !strings.Contains(log, "https://evil.example") {
			t.Errorf("the server's log does not name the page that was refused:\n%s", log)
		}
		each(t, all, (*visit).leave)
	})
}

// A server without one of the recipe's options refuses somebody, so TestCrowd would fail.
// Here each is left away in turn. One proxy does for that.
func TestServerWithout(t *testing.T) {
	t.Parallel()
	noAddress := func(o *bennu.EndpointOptions, m *bennu.SocketOptions) {
		o.Limits.ClientAddress = nil
		m.Transports[1] = longpoll.New(&longpoll.Options{Window: 5 * time.Minute}) // nobody polls here, and no session shall end by that
	}
	fewer := func(o *bennu.EndpointOptions, m *bennu.SocketOptions) {
		noAddress(o, m)
		o.Limits.PerAddress = 10 // the proxy has not enough time to cut the first of them
	}
	noScheme := func(_ *bennu.EndpointOptions, m *bennu.SocketOptions) { m.Checks.Scheme = nil }
	noLongPoll := func(_ *bennu.EndpointOptions, m *bennu.SocketOptions) { m.Transports = m.Transports[:1] }
	const come = 70
	tests := []struct {
		name    string
		without func(*bennu.EndpointOptions, *bennu.SocketOptions)
		path    string
		letIn   int // of those who come
		refused int // how the others are
	}{
		{"all is there", func(*bennu.EndpointOptions, *bennu.SocketOptions) {}, "longpoll", come, 0},
		{"ClientAddress, polls", noAddress, "longpoll", 64, http.StatusServiceUnavailable},
		{"ClientAddress, WebSockets", fewer, "websocket", 10, http.StatusServiceUnavailable},
		{"Scheme, polls", noScheme, "longpoll", 0, http.StatusForbidden},
		{"Scheme, WebSockets", noScheme, "websocket", 0, http.StatusForbidden},
		{"LongPoll", noLongPoll, "longpoll", 0, http.StatusNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, tt.without)
			p := startProxy(t, nginx, documented, s.backend)
			for i := range come {
				want := tt.refused
				if i < tt.letIn {
					want = http.StatusSwitchingProtocols
				}
				if got := ask(t, p, tt.path, i, "https://"+p.tlsAddr, nil); got != want {
					t.Fatalf("client %d: status %d, want %d", i+1, got, want)
				}
				if want == tt.refused {
					break
				}
			}
		})
	}
}

// The same for lines of the proxy's own recipe: without one of them the page is refused,
// or the server believes the address that the client wrote.
func TestRecipeWithout(t *testing.T) {
	forEach(t, func(t *testing.T, k *kind) {
		for _, line := range append([]string{"nothing"}, k.needs...) {
			t.Run(line, func(t *testing.T) {
				t.Parallel()
				s := startServer(t)
				v := documented
				if line != "nothing" {
					v.without = line
				}
				p := startProxy(t, k, v, s.backend)
				forged := http.Header{"X-Forwarded-For": {"192.0.2.66"}, "X-Forwarded-Proto": {"http"}}
				status := ask(t, p, "websocket?id=1", 1, "https://"+p.tlsAddr, forged)
				got, _ := s.visitor("1")
				well := status == http.StatusSwitchingProtocols && slices.Equal(got.For, []string{loopback(1)}) && len(got.Proto) == 1
				if well != (line == "nothing") {
					t.Errorf("status %d, and Connect was told %+v", status, got)
				}
			})
		}
	})
}

// Traefik is not installed in every place where these tests run. What it says of a
// WebSocket, as of others, is "wss" where the page has https.
func TestForwardedWSS(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, tt := range []struct {
		proto, origin string
		letIn         bool
	}{
		{"wss", "https://" + s.Addr, true},
		{"wss", "http://" + s.Addr, false},
		{"ws", "http://" + s.Addr, true},
		{"ws", "https://" + s.Addr, false},
	} {
		c, _ := wstest.Open(t, s.ws("/socket/behind/websocket"), "Origin: "+tt.origin, "X-Forwarded-Proto: "+tt.proto, "X-Forwarded-For: 192.0.2.1")
		if (c != nil) != tt.letIn {
			t.Errorf("%s from %s: let in is %v", tt.proto, tt.origin, c != nil)
		}
	}
}

// loopback is an address of this machine for the client with a number. It is never that
// of the proxy.
func loopback(i int) string { return fmt.Sprintf("127.1.%d.%d", i/200, i%200+1) }

// from makes an HTTP client that connects from the address of a number.
func from(t *testing.T, p *proxy, i int) *http.Client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(loopback(i))}}
	carrier := &http.Transport{TLSClientConfig: p.tlsConfig(), DialContext: d.DialContext}
	t.Cleanup(carrier.CloseIdleConnections)
	return &http.Client{Transport: carrier}
}

// ask makes a request to open a WebSocket or a session of long polling over TLS, from the
// address of a number and a page. It returns the status, which is 101 for whoever is let in,
// over both. What is open stays so until the test ends.
func ask(t *testing.T, p *proxy, path string, i int, origin string, forged http.Header) (status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+p.tlsAddr+"/socket/behind/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, forged)
	polls := path == "longpoll"
	if polls {
		r.Header.Set("Origin", origin)
	} else {
		maps.Copy(r.Header, upgrade(origin))
	}
	answer, err := from(t, p, i).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if !polls || answer.StatusCode != http.StatusOK {
		return answer.StatusCode
	}
	var e envelope
	if err := json.NewDecoder(answer.Body).Decode(&e); err != nil {
		t.Fatal(err)
	}
	if e.Status == http.StatusGone { // so a session begins
		return http.StatusSwitchingProtocols
	}
	return e.Status
}

// A visit is a client of the crowd.
type visit struct {
	name   string
	url    string
	opts   client.Options
	socket *client.Socket
	heard  chan struct{}
}

func newVisit(t *testing.T, p *proxy, i int, transport string) *visit {
	t.Helper()
	page := "https://" + p.tlsAddr
	if i%2 == 0 {
		page = "http://" + p.addr
	}
	v := &visit{
		name: fmt.Sprintf("%v %d", transport, i), url: page + "/socket/behind", heard: make(chan struct{}, 1),
		opts: client.Options{
			Transport: transport, HTTPClient: from(t, p, i), Header: http.Header{"Origin": {page}},
			Timeout: patience,
		},
	}
	t.Cleanup(func() {
		if v.socket != nil {
			v.socket.Close()
		}
	})
	return v
}

// join connects, at the first attempt, and joins.
func (v *visit) join(ctx context.Context) (err error) {
	if v.socket, err = client.Dial(ctx, v.url, &v.opts); err != nil {
		return err
	}
	channel := v.socket.Channel("room:crowd", nil)
	channel.On("all", func(client.Message) { v.heard <- struct{}{} })
	_, err = channel.Join(ctx)
	return err
}

func (v *visit) hear(ctx context.Context) error {
	select {
	case <-v.heard:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *visit) leave(context.Context) error { return v.socket.Close() }

// each calls a method of all, some of them at a time.
func each(t *testing.T, all []*visit, f func(*visit, context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	turns := make(chan struct{}, 5)
	for _, v := range all {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			if err := f(v, ctx); err != nil {
				t.Errorf("%s: %v", v.name, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
