package client_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/client"
)

// tableOf returns the delays of phoenix.js, without jitter.
func tableOf(delays ...time.Duration) func(int) time.Duration {
	return func(try int) time.Duration { return delays[min(try, len(delays))-1] * time.Millisecond }
}

var reconnectDelays = []time.Duration{10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000, 5000, 5000}

func TestReconnectTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		times := make(chan time.Time, 100)
		p.setRefuse(func(w http.ResponseWriter, _ *http.Request) bool {
			times <- time.Now()
			w.WriteHeader(http.StatusForbidden)
			return true
		})
		var waits []time.Duration
		s := wsV2.connect(t, peerURL, p.options(&client.Options{
			ReconnectAfter: tableOf(reconnectDelays...),
			Trace:          &client.Trace{Closed: func(c client.Closed) { waits = append(waits, c.After) }},
		}))
		last := <-times
		for i, want := range reconnectDelays {
			at := <-times
			if got := at.Sub(last); got != want*time.Millisecond {
				t.Errorf("attempt %d after %v, want %v", i+2, got, want*time.Millisecond)
			}
			last = at
		}
		var refused *client.RefusedError
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Open(ctx); !errors.As(err, &refused) || refused.Status != 403 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open: %v", err)
		}
		closeSocket(t, s)
		if waits[0] != 10*time.Millisecond {
			t.Errorf("waits %v", waits)
		}
	})
}

func TestReconnectTriesAreResetWhenAConnectionWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var tries []int
		s := wsV2.connect(t, peerURL, p.options(&client.Options{ReconnectAfter: func(try int) time.Duration {
			tries = append(tries, try)
			return time.Millisecond
		}}))
		for range 3 { // opens and carries no message, so it does not count as working
			p.accept().cut()
		}
		c := p.accept()
		c.send(`[null,null,"a","b",{}]`)
		synctest.Wait()
		c.cut()
		c = p.accept()
		time.Sleep(6 * time.Second) // it lasts
		c.cut()
		p.accept()
		closeSocket(t, s)
		if want := []int{1, 2, 3, 1, 1}; !slices.Equal(tries, want) {
			t.Errorf("tries %v, want %v", tries, want)
		}
	})
}

// If a proxy cuts each connection soon, even after messages were exchanged, the client connects
// less and less often, until a connection lasts.
func TestReconnectTriesGoOnWhenConnectionsDoNotLast(t *testing.T) {
	for _, m := range []mode{wsV2, lpV2} {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				polls := newPollServer()
				p.longPoll = polls.ServeHTTP
				opened, closes := make(chan time.Time, 100), make(chan client.Closed, 100)
				m.connect(t, peerURL, p.options(&client.Options{
					ReconnectAfter: tableOf(reconnectDelays...), PollTimeout: time.Hour, HeartbeatInterval: time.Hour,
					Trace: &client.Trace{
						Open:   func(client.Attempt) { opened <- time.Now() },
						Closed: func(c client.Closed) { closes <- c },
					},
				}))
				// cut sends a message on a connection, and ends it after a time.
				cut := func(after time.Duration) {
					t.Helper()
					if m.transport == "longpoll" {
						polls.setStatus(nil)
						<-opened
						polls.out <- []string{`[null,null,"a","b",{}]`}
						time.Sleep(after)
						polls.setStatus(func(r *http.Request) int {
							if r.URL.Query().Get("token") == "" {
								return 0
							}
							return http.StatusGone
						})
						polls.out <- nil
						return
					}
					<-opened
					c := p.accept()
					c.send(`[null,null,"a","b",{}]`)
					time.Sleep(after)
					c.cut()
				}
				for i, want := range append(reconnectDelays, 5000) {
					cut(300 * time.Millisecond)
					if got := (<-closes).After; got != want*time.Millisecond {
						t.Errorf("wait %d is %v, want %v", i+1, got, want*time.Millisecond)
					}
				}
				cut(4999 * time.Millisecond)
				if got := (<-closes).After; got != 5*time.Second {
					t.Errorf("wait %v after a connection that did not last", got)
				}
				cut(5 * time.Second)
				if got := (<-closes).After; got != 10*time.Millisecond {
					t.Errorf("wait %v after one that lasted", got)
				}
			})
		})
	}
}

// After an outage one short connection does not make the client wait long.
func TestReconnectTriesCountShortConnectionsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.setRefuse(refuseAll)
		var tries []int
		s := wsV2.connect(t, peerURL, p.options(&client.Options{ReconnectAfter: func(try int) time.Duration {
			if tries = append(tries, try); len(tries) == 4 {
				p.setRefuse(nil)
			}
			return time.Millisecond
		}}))
		for range 3 {
			c := p.accept()
			c.send(`[null,null,"a","b",{}]`)
			synctest.Wait()
			c.cut()
		}
		p.accept()
		closeSocket(t, s)
		if want := []int{1, 2, 3, 4, 1, 2, 3}; !slices.Equal(tries, want) {
			t.Errorf("tries %v, want %v", tries, want)
		}
	})
}

func TestEveryCodeButTheNormalOneReconnects(t *testing.T) {
	for _, code := range []int{1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3410, 4000} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				closes := make(chan client.Closed, 10)
				_, c := p.dial(&client.Options{Trace: &client.Trace{Closed: func(c client.Closed) { closes <- c }}})
				c.close(code)
				p.accept()
				got := <-closes
				var closed *client.CloseError
				if !errors.As(got.Err, &closed) || closed.Code != code || !got.Retry || !got.WasOpen {
					t.Errorf("closed %+v", got)
				}
			})
		})
	}
}

func TestTheNormalCodeEndsTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		ch := s.Channel("a", nil)
		closed := make(chan error, 1)
		ch.OnClose(func(err error) { closed <- err })
		go c.acceptJoin("a")
		if _, err := ch.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.close(1000)
		<-s.Done()
		var end *client.CloseError
		if !errors.As(s.Err(), &end) || end.Code != 1000 {
			t.Errorf("Err is %v", s.Err())
		}
		if err := <-closed; !errors.As(err, &end) {
			t.Errorf("OnClose got %v", err)
		}
		if err := s.Open(t.Context()); !errors.As(err, &end) {
			t.Errorf("Open: %v", err)
		}
		if _, err := ch.Push(t.Context(), "e", nil); !errors.As(err, &end) {
			t.Errorf("Push: %v", err)
		}
		time.Sleep(time.Hour)
		if n := len(p.seen()); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

func TestChannelsAreErroredWhenTheConnectionCloses(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*peerConn)
		code bool // the error has one
	}{
		"closed": {func(c *peerConn) { c.close(1011) }, true},
		"cut":    {func(c *peerConn) { c.cut() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				s, conn := p.dial(nil)
				ch := s.Channel("a", nil)
				errs := make(chan error, 10)
				ch.OnError(func(err error) { errs <- err })
				go conn.acceptJoin("a")
				if _, err := ch.Join(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.end(conn)
				var closed *client.CloseError
				if err := <-errs; !errors.Is(err, client.ErrDisconnected) || errors.As(err, &closed) != c.code {
					t.Errorf("error %v", err)
				}
				p.accept().acceptJoin("a")
				synctest.Wait()
				if ch.State() != client.StateJoined {
					t.Errorf("state %v", ch.State())
				}
			})
		})
	}
}

func TestParamsAreEvaluatedForEachConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		n := 0
		s := wsV2.connect(t, peerURL+"/websocket?before=1", p.options(&client.Options{
			ParamsFunc: func(context.Context) (map[string]any, error) {
				if n++; n == 2 {
					return nil, errors.New("none today")
				}
				return object{"n": n, "user": object{"name": "a b", "tags": []string{"x", "y&z"}}, "none": nil}, nil
			},
			AuthTokenFunc: func(context.Context) (string, error) { return fmt.Sprint("token>?~", n), nil },
		}))
		p.accept().close(1011)
		p.accept()
		closeSocket(t, s)
		requests := p.seen()
		for i, n := range []int{1, 3} {
			r := requests[i]
			want := fmt.Sprintf("before=1&n=%d&user[name]=a+b&user[tags][0]=x&user[tags][1]=y%%26z&vsn=2.0.0", n)
			if r.URL.Path != "/socket/websocket" || r.URL.RawQuery != want {
				t.Errorf("request %s?%s, want query %s", r.URL.Path, r.URL.RawQuery, want)
			}
			token := base64.RawStdEncoding.EncodeToString([]byte(fmt.Sprint("token>?~", n)))
			if got := r.Header.Get("Sec-Websocket-Protocol"); strings.ReplaceAll(got, " ", "") != "phoenix,base64url.bearer.phx."+token {
				t.Errorf("subprotocols %q", got)
			}
		}
	})
}

func TestErrorsOfParamsFailTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		want := errors.New("no token")
		_, err := client.Dial(t.Context(), peerURL, wsV2.options(t, p.options(&client.Options{
			AuthTokenFunc: func(context.Context) (string, error) { return "", want },
		})))
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "connecting by websocket") {
			t.Errorf("error %v", err)
		}
		_, err = client.Dial(t.Context(), peerURL, wsV2.options(t, p.options(&client.Options{
			ParamsFunc: func(context.Context) (map[string]any, error) { panic("oh") },
		})))
		if !errors.Is(err, client.ErrPanic) || !strings.Contains(err.Error(), "oh") {
			t.Errorf("error %v", err)
		}
	})
}

// A connection that the server accepts without an answer to the handshake is closed after a time.
func TestConnectTimeout(t *testing.T) {
	for _, m := range []mode{wsV2, lpV2} {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.setRefuse(func(_ http.ResponseWriter, r *http.Request) bool {
					<-r.Context().Done()
					return true
				})
				start := time.Now()
				_, err := client.Dial(t.Context(), peerURL, m.options(t, p.options(nil)))
				if !errors.Is(err, client.ErrTimeout) || !strings.Contains(err.Error(), "connecting by "+m.transport) || time.Since(start) != 10*time.Second {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
		})
	}
}

func TestDialStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.setRefuse(func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.Dial(ctx, peerURL, wsV2.options(t, p.options(nil))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCloseFlushesAndClosesNormally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		go c.acceptJoin("a")
		ch := join(t, s, "a", nil)
		const n = 500
		for range n {
			if err := ch.Send("e", nil); err != nil {
				t.Fatal(err)
			}
		}
		got := make(chan int)
		go func() {
			n := 0
			for {
				if _, ok := c.read(); !ok {
					break
				}
				n++
			}
			got <- n
		}()
		closeSocket(t, s)
		if m := <-got; m != n {
			t.Errorf("%d messages came, want %d", m, n)
		}
		closeSocket(t, s)
		if !errors.Is(s.Err(), client.ErrClosed) {
			t.Errorf("Err is %v", s.Err())
		}
		if _, err := s.Channel("b", nil).Join(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("join after Close: %v", err)
		}
	})
}

// A server that does not read, and does not answer the close frame, holds Close up for
// a bounded time only.
func TestCloseDoesNotWaitForADeafServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		go c.acceptJoin("a")
		ch := join(t, s, "a", nil)
		for range 10 {
			_ = ch.Send("e", nil) // a pipe holds nothing: the first one blocks
		}
		start := time.Now()
		closeSocket(t, s)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestCloseOfASocketThatNeverConnected(t *testing.T) {
	s, err := client.New(peerURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	closeSocket(t, s)
	<-s.Done()
	s.Connect()
	if err := s.Open(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Errorf("Open: %v", err)
	}
}

func TestAuthToken(t *testing.T) {
	run(t, []mode{wsV2, lpV2}, func(t *testing.T, m mode, url string) {
		const token = "a>b?~ü"
		s := m.dial(t, strings.Replace(url, "/socket", "/auth", 1), &client.Options{AuthToken: token})
		got, err := client.Join[object](t.Context(), s.Channel("room:info", nil))
		if err != nil || got["auth_token"] != token {
			t.Errorf("joined with %v, %v", got, err)
		}
	})
}

func TestParams(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, &client.Options{Params: map[string]any{"a": object{"b": 1}, "c": []any{true, nil, 2.5}, "d": nil, "é&": "=x"}})
		got, err := client.Join[object](t.Context(), s.Channel("room:info", nil))
		want := map[string]any{"a": object{"b": "1"}, "c": object{"0": "true", "2": "2.5"}, "é&": "=x", "vsn": m.version}
		if err != nil || fmt.Sprint(got["params"]) != fmt.Sprint(want) {
			t.Errorf("joined with %v, %v; want %v", got["params"], err, want)
		}
	})
}

func TestRefusedConnections(t *testing.T) {
	run(t, []mode{wsV2, lpV2}, func(t *testing.T, m mode, url string) {
		_, err := client.Dial(t.Context(), url, m.options(t, &client.Options{Params: object{"reject": "error", "secret": "xyzzy"}}))
		var refused *client.RefusedError
		if !errors.As(err, &refused) || refused.Status != 403 {
			t.Errorf("error %v", err)
		}
		_, err = client.Dial(t.Context(), "http://127.0.0.1:1/socket", m.options(t, &client.Options{Params: object{"secret": "xyzzy"}}))
		if err == nil || strings.Contains(err.Error(), "xyzzy") {
			t.Errorf("error %v", err)
		}
	})
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		url  string
		opts client.Options
		want string
	}{
		{"example.com", client.Options{}, "scheme"},
		{"ftp://example.com", client.Options{}, "scheme"},
		{"ws:///socket", client.Options{}, "no host"},
		{"ws://a\x00", client.Options{}, "malformed"},
		{peerURL, client.Options{Transport: "sse"}, "Options.Transport is \"sse\""},
		{peerURL, client.Options{Version: "2"}, "Options.Version is \"2\""},
		{peerURL, client.Options{Timeout: -1}, "Options.Timeout is -1ns"},
		{peerURL, client.Options{FallbackAfter: -1}, "Options.FallbackAfter"},
		{peerURL, client.Options{HeartbeatInterval: -5}, "Options.HeartbeatInterval"},
		{peerURL, client.Options{MaxMessage: -2}, "Options.MaxMessage is -2"},
		{peerURL, client.Options{MaxQueued: -2}, "Options.MaxQueued"},
	} {
		if _, err := client.New(c.url, &c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%q, %+v): %v, want %q in it", c.url, c.opts, err, c.want)
		}
	}
}
