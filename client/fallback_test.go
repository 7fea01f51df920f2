package client_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/client"
)

// fallbackPeer also serves long polling, and records which transports opened.
func fallbackPeer(t *testing.T) (*peer, *pollServer, chan string, *client.Options) {
	p := newPeer(t)
	polls := newPollServer()
	p.longPoll = polls.ServeHTTP
	opened := make(chan string, 100)
	return p, polls, opened, p.options(&client.Options{
		FallbackAfter: 2500 * time.Millisecond,
		PollTimeout:   time.Hour,
		Trace:         &client.Trace{Open: func(a client.Attempt) { opened <- a.Transport }},
	})
}

func noWebSocket(w http.ResponseWriter, r *http.Request) bool {
	if strings.HasSuffix(r.URL.Path, "/websocket") {
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	return false
}

func TestFallbackWhenWebSocketsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, polls, opened, opts := fallbackPeer(t)
		p.setRefuse(noWebSocket)
		s := wsV2.dial(t, peerURL, opts)
		if got := <-opened; got != "longpoll" {
			t.Errorf("opened %s", got)
		}
		ch := s.Channel("a", nil)
		go func() { _, _ = ch.Join(t.Context()) }()
		<-polls.posts
		// It stays with long polling, since no WebSocket has worked yet.
		p.setRefuse(nil)
		polls.out <- []string{"garbage"}
		if got := <-opened; got != "longpoll" {
			t.Errorf("opened %s after the end of the session", got)
		}
	})
}

func TestFallbackWhenAWebSocketDoesNotOpenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, opened, opts := fallbackPeer(t)
		p.setRefuse(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/websocket") {
				<-r.Context().Done()
				return true
			}
			return false
		})
		start := time.Now()
		wsV2.dial(t, peerURL, opts)
		if got := <-opened; got != "longpoll" || time.Since(start) != 2500*time.Millisecond {
			t.Errorf("opened %s after %v", got, time.Since(start))
		}
	})
}

func TestFallbackWhenAWebSocketCarriesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, opened, opts := fallbackPeer(t)
		start := time.Now()
		wsV2.dial(t, peerURL, opts)
		c := p.accept()
		c.expect("phoenix", "heartbeat") // at once, and it gets no answer
		if got := <-opened; got != "websocket" {
			t.Errorf("opened %s first", got)
		}
		go c.read()
		if got := <-opened; got != "longpoll" || time.Since(start) > 5*time.Second {
			t.Errorf("opened %s after %v", got, time.Since(start))
		}
	})
}

func TestFallbackWhenAWebSocketBreaksBeforeItCarriesAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, opened, opts := fallbackPeer(t)
		wsV2.dial(t, peerURL, opts)
		p.accept().cut()
		if got := <-opened; got != "websocket" {
			t.Errorf("opened %s first", got)
		}
		if got := <-opened; got != "longpoll" {
			t.Errorf("opened %s then", got)
		}
	})
}

// A proxy that cuts WebSockets soon after they open counts like one that lets none through: long polling
// takes over. One WebSocket that lasts ends the count.
func TestFallbackWhenWebSocketsAreCutSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, polls, opened, opts := fallbackPeer(t)
		opts.HeartbeatInterval = time.Hour
		cut := func(after time.Duration) {
			t.Helper()
			if got := <-opened; got != "websocket" {
				t.Fatalf("opened %s", got)
			}
			c := p.accept()
			c.reply(c.expect("phoenix", "heartbeat"), "ok", "{}")
			time.Sleep(after)
			c.cut()
		}
		wsV2.dial(t, peerURL, opts)
		cut(300 * time.Millisecond)
		cut(300 * time.Millisecond)
		cut(5 * time.Second)
		cut(300 * time.Millisecond)
		cut(300 * time.Millisecond)
		cut(4 * time.Second)
		if got := <-opened; got != "longpoll" {
			t.Errorf("opened %s after three that were cut", got)
		}
		// The session ends: next a WebSocket is tried, and then long polling at once.
		polls.out <- []string{"garbage"}
		cut(300 * time.Millisecond)
		start := time.Now()
		if got := <-opened; got != "longpoll" || time.Since(start) != 0 {
			t.Errorf("opened %s after %v", got, time.Since(start))
		}
	})
}

// A close frame shows that the proxy lets frames through.
func TestNoFallbackWhenTheServerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, opened, opts := fallbackPeer(t)
		wsV2.dial(t, peerURL, opts)
		p.accept().close(1012)
		for range 2 {
			if got := <-opened; got != "websocket" {
				t.Errorf("opened %s", got)
			}
		}
	})
}

func TestFallbackIsNotRememberedWhenWebSocketsWorkedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, polls, opened, opts := fallbackPeer(t)
		wsV2.dial(t, peerURL, opts)
		c := p.accept()
		c.reply(c.expect("phoenix", "heartbeat"), "ok", "{}")
		synctest.Wait()
		p.setRefuse(noWebSocket)
		c.cut()
		<-opened
		if got := <-opened; got != "longpoll" {
			t.Errorf("opened %s when WebSockets are refused", got)
		}
		p.setRefuse(nil)
		polls.out <- []string{"garbage"}
		if got := <-opened; got != "websocket" {
			t.Errorf("opened %s when they are not any more", got)
		}
	})
}

func TestNoFallbackWhenTheWebSocketWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, opened, opts := fallbackPeer(t)
		wsV2.dial(t, peerURL, opts)
		c := p.accept()
		for range 3 {
			c.reply(c.expect("phoenix", "heartbeat"), "ok", "{}")
		}
		if n := len(opened); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// A proxy that lets no WebSockets through, in front of a real server.
func TestFallbackAgainstTheFixture(t *testing.T) {
	run(t, []mode{wsV2, wsV1}, func(t *testing.T, m mode, url string) {
		httpc := httpClient(t)
		transport := httpc.Transport
		httpc.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Upgrade") != "" {
				r = r.Clone(r.Context())
				r.Header.Del("Upgrade")
				r.Header.Del("Connection")
			}
			return transport.RoundTrip(r)
		})
		s := m.dial(t, url, &client.Options{HTTPClient: httpc, FallbackAfter: patience})
		got, err := client.Join[object](t.Context(), s.Channel("room:info", nil))
		if err != nil || got["transport"] != "longpoll" {
			t.Errorf("joined with %v, %v", got, err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
