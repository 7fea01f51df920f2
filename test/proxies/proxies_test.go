package proxies

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

const fixture = "/socket/websocket?vsn=2.0.0"

// What works without a proxy works through it, with the configuration that the
// documentation shows.
func TestRecipe(t *testing.T) {
	forEach(t, func(t *testing.T, k *kind) {
		s := startServer(t)
		p := startProxy(t, k, documented, s.backend)
		// The proxy and the server outlive these, which run side by side.
		t.Run("broadcast", func(t *testing.T) { t.Parallel(); broadcasts(t, p, s) })
		t.Run("close code", func(t *testing.T) { t.Parallel(); closeCode(t, p) })
		t.Run("forwarded", func(t *testing.T) { t.Parallel(); forwarded(t, p, s) })
		t.Run("sizes", func(t *testing.T) { t.Parallel(); sizes(t, p) })
		t.Run("client gone", func(t *testing.T) { t.Parallel(); clientGone(t, p, s) })
		t.Run("client stuck", func(t *testing.T) { t.Parallel(); clientStuck(t, p, s) })
		t.Run("log", func(t *testing.T) { t.Parallel(); logHasNoSecrets(t, p) })
		t.Run("long polling", func(t *testing.T) { t.Parallel(); longPolls(t, p, s) })
	})
}

// broadcasts go between a client behind the proxy and one that is not.
func broadcasts(t *testing.T, p *proxy, s *server) {
	const topic = "room:proxied"
	far, near := wstest.Dial(t, p.ws(fixture)), wstest.Dial(t, s.ws(fixture))
	far.Join(topic)
	near.Join(topic)
	for i, from := range []*wstest.Client{far, near} {
		payload := fmt.Sprintf(`{"from":%d}`, i)
		from.Want(topic, "bc", payload, "ok", "{}")
		for _, to := range []*wstest.Client{far, near} {
			if got := to.Event(topic, "bc").Payload; got != payload {
				t.Fatalf("the broadcast of client %d arrived as %s", i, got)
			}
		}
	}
	big := `{"big":"` + strings.Repeat("x", 200_000) + `"}`
	far.Want(topic, "echo", big, "ok", big)
	far.Send(wstest.Ping("as it is"))
	far.ExpectFrame(wstest.Frame{Op: wstest.OpPong, Payload: []byte("as it is")})
}

// closeCode: how stock clients react depends on the code.
func closeCode(t *testing.T, p *proxy) {
	c := wstest.Dial(t, p.ws(fixture))
	c.Join("room:closing")
	c.Push("room:closing", "drain_me", "{}")
	c.ExpectClose(1012)
}

// forwarded: the server knows the client's address and scheme, from the proxy
// alone, and lets in pages of the proxy's own address.
func forwarded(t *testing.T, p *proxy, s *server) {
	forged := http.Header{"X-Forwarded-For": {"192.0.2.66", "192.0.2.67"}, "X-Forwarded-Proto": {"https"}}
	tests := []struct {
		name   string
		url    string
		origin string
		header http.Header
		want   int
	}{
		{"plain", "http://" + p.addr, "http://" + p.addr, nil, 101},
		{"TLS", "https://" + p.tlsAddr, "https://" + p.tlsAddr, nil, 101},
		{"plain-forged", "http://" + p.addr, "http://" + p.addr, forged, 101},
		{"TLS-forged", "https://" + p.tlsAddr, "https://" + p.tlsAddr, http.Header{"X-Forwarded-Proto": {"http"}}, 101},
		{"http-page", "https://" + p.tlsAddr, "http://" + p.tlsAddr, nil, 403},
		{"https-page-forged", "http://" + p.addr, "https://" + p.addr, forged, 403},
		{"other-port", "https://" + p.tlsAddr, "https://" + p.addr, nil, 403},
		{"no-port", "https://" + p.tlsAddr, "https://127.0.0.1", nil, 403},
	}
	client := newClient(t, p)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := "/socket/behind/websocket?id=" + tt.name
			r, err := http.NewRequest("GET", tt.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != nil {
				r.Header = tt.header.Clone()
			}
			maps.Copy(r.Header, upgrade(tt.origin))
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != tt.want {
				t.Fatalf("status %d, want %d", answer.StatusCode, tt.want)
			}
			got, connected := s.visitor(tt.name)
			if connected != (tt.want == 101) {
				t.Fatalf("Connect called: %v", connected)
			}
			if !connected {
				return
			}
			scheme, _, _ := strings.Cut(tt.url, ":")
			if !slices.Equal(got.For, []string{"127.0.0.1"}) || !slices.Equal(got.Proto, []string{cmp.Or(p.says[scheme], scheme)}) || got.URL != tt.url+path {
				t.Errorf("Connect was told %+v", got)
			}
		})
	}
}

// sizes: what the server takes, the proxy takes too, and it sets an end to what is
// far too much.
func sizes(t *testing.T, p *proxy) {
	longest := fixture + "&pad="
	longest += strings.Repeat("x", 8<<10-len(longest))
	wstest.Dial(t, p.ws(longest)).Fence()
	wstest.Dial(t, p.ws(fixture), "X-Large: "+strings.Repeat("x", 12<<10)).Fence()

	if c, answer := wstest.Open(t, p.ws(longest+"x")); c != nil || answer.StatusCode != http.StatusRequestURITooLong {
		t.Errorf("a URL that is too long: %+v", answer)
	}
	// The proxy may answer before it has read all, so this one fits in the
	// sockets' buffers.
	if c, answer := wstest.Open(t, p.ws(fixture), "X-Large: "+strings.Repeat("x", 20<<10)); c != nil || answer.StatusCode/100 != 4 {
		t.Errorf("a header that is too long: %+v", answer)
	}
}

// clientGone: a request whose client has gone must not go on, or the server would
// answer a poll that nobody reads.
func clientGone(t *testing.T, p *proxy, s *server) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+p.addr+"/socket/forever", nil)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	client := newClient(t, p)
	go func() {
		answer, err := client.Do(r)
		if err == nil {
			answer.Body.Close()
			err = fmt.Errorf("an answer: %s", answer.Status)
		}
		answered <- err
	}()
	late := time.NewTimer(wstest.Patience)
	defer late.Stop()
	select {
	case <-s.waiting:
	case err := <-answered:
		t.Fatal(err)
	case <-late.C:
		t.Fatal("the request does not arrive")
	}
	cancel()
	<-answered
	select {
	case <-s.gone:
	case <-late.C:
		t.Fatal("the server is not told that the client has gone")
	}
}

// clientStuck: an answer that the client does not take must not be taken by the
// proxy, or the server would think it delivered.
func clientStuck(t *testing.T, p *proxy, s *server) {
	answer, err := newClient(t, p).Get("http://" + p.addr + "/socket/much")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	late := time.NewTimer(wstest.Patience)
	defer late.Stop()
	select {
	case err := <-s.written:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("writing ended with %v, want it stuck", err)
		}
	case <-late.C:
		t.Fatal("the server still writes")
	}
}

// logHasNoSecrets: what stands in the query, and where clients put their tokens, is for
// the server alone.
func logHasNoSecrets(t *testing.T, p *proxy) {
	c, answer := wstest.Open(t, p.ws("/socket/secretive?token=sesame"),
		"Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.sesame", "X-Phoenix-AuthToken: sesame", "Authorization: Bearer sesame", "Cookie: session=sesame")
	if c != nil || answer.StatusCode != http.StatusNotFound {
		t.Fatalf("answer: %+v", answer)
	}
	// The proxy writes when it gets to it.
	eventually(t, "the request in the log", func() bool {
		log, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(log), "sesame") {
			t.Fatal("the log has the token")
		}
		return strings.Contains(string(log), cmp.Or(p.logged, "/socket/secretive"))
	})
}

// A reload keeps the connections there are, but for old versions of Caddy, and sends new
// ones to the new servers.
func TestReload(t *testing.T) {
	forEach(t, func(t *testing.T, k *kind) {
		blue, green := startServer(t), startServer(t)
		p := startProxy(t, k, documented, blue.backend)
		old := wstest.Dial(t, p.ws(fixture))
		old.Join("room:reload")
		p.move(t, green.backend)
		tries, client := 0, newClient(t, p)
		eventually(t, "a connection to the new server", func() bool {
			tries++
			id := fmt.Sprintf("try%d", tries)
			r, err := http.NewRequest("GET", "http://"+p.addr+"/socket/behind/websocket?vsn=2.0.0&id="+id, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = upgrade("http://" + p.addr)
			answer, err := client.Do(r)
			if err != nil {
				return false // the old process was about to take it when it stopped listening
			}
			answer.Body.Close()
			_, arrived := green.visitor(id)
			return arrived
		})
		if k == caddy && p.values.StreamDelay == "" {
			old.DrainToClose()
			return
		}
		old.Want("room:reload", "bc", `{"still":"here"}`, "ok", "{}")
		if got := old.Event("room:reload", "bc").Payload; got != `{"still":"here"}` {
			t.Errorf("broadcast %s", got)
		}
	})
}

// upgrade is what asks for a WebSocket from a page.
func upgrade(origin string) http.Header {
	return http.Header{
		"Origin": {origin}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
}

// newClient makes an HTTP client that trusts the proxy.
func newClient(t *testing.T, p *proxy) *http.Client {
	t.Helper()
	carrier := &http.Transport{TLSClientConfig: p.tlsConfig()}
	t.Cleanup(carrier.CloseIdleConnections)
	return &http.Client{Transport: carrier, Timeout: 2 * wstest.Patience}
}

var eventually = waittest.Until
