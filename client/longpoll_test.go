package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/client"
)

// pollPeer is a peer with one session of long polling that is joined to topic a.
func pollPeer(t *testing.T, opts *client.Options) (*peer, *pollServer, *client.Channel, chan client.Closed) {
	t.Helper()
	p := newPeer(t)
	polls := newPollServer()
	p.longPoll = polls.ServeHTTP
	closes := make(chan client.Closed, 1000)
	if opts == nil {
		opts = &client.Options{}
	}
	opts.Trace = &client.Trace{Closed: func(c client.Closed) { closes <- c }}
	s := lpV2.dial(t, peerURL, p.options(opts))
	ch := s.Channel("a", nil)
	done := make(chan error, 1)
	go func() {
		_, err := ch.Join(t.Context())
		done <- err
	}()
	if got := <-polls.posts; got != `["1","1","a","phx_join",{}]` {
		t.Errorf("posted %q", got)
	}
	polls.out <- []string{`["1","1","a","phx_reply",{"status":"ok","response":{}}]`}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return p, polls, ch, closes
}

func TestLongPollRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, ch, _ := pollPeer(t, &client.Options{AuthToken: "se/cret", Header: http.Header{"Origin": {"https://example.com"}}})
		closeSocket(t, ch.Socket())
		requests := p.seen()
		for i, r := range requests {
			token := ""
			if i > 0 {
				token = "a+token/"
			}
			if r.URL.Path != "/socket/longpoll" || r.URL.Query().Get("vsn") != "2.0.0" || r.Header.Get("Accept") != "application/json" ||
				r.Header.Get("Origin") != "https://example.com" {
				t.Errorf("request %d: %v %v", i, r.URL, r.Header)
			}
			// In the header for Phoenix 1.8.10 and later, in the query for older servers.
			if r.Header.Get("X-Phoenix-Longpoll-Token") != token || r.URL.Query().Get("token") != token {
				t.Errorf("request %d: the token is in %v, %v", i, r.URL, r.Header)
			}
			if r.Method == http.MethodPost {
				if r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("X-Phoenix-Authtoken") != "" {
					t.Errorf("post: %v", r.Header)
				}
			} else if r.Header.Get("X-Phoenix-Authtoken") != "se/cret" {
				t.Errorf("poll: %v", r.Header)
			}
		}
	})
}

// A server may give a new token with each answer.
func TestLongPollTakesUpNewTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, polls, _, _ := pollPeer(t, nil)
		synctest.Wait() // a poll waits
		something := []string{`[null,null,"x","y",{}]`}
		polls.token = "another"
		polls.out <- something
		synctest.Wait()
		polls.token = "" // none: the last one stays
		polls.out <- something
		synctest.Wait()
		requests := p.seen()
		var tokens []string
		for _, r := range requests[len(requests)-3:] {
			tokens = append(tokens, r.Header.Get("X-Phoenix-Longpoll-Token")+" "+r.URL.Query().Get("token"))
		}
		if want := "[a+token/ a+token/ another another another another]"; fmt.Sprint(tokens) != want {
			t.Errorf("tokens %v, want %s", tokens, want)
		}
	})
}

// Pushes during a post are sent with the next one, up to 100 lines.
func TestLongPollBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, polls, ch, _ := pollPeer(t, nil)
		for i := range 250 {
			if err := ch.Send("e", i); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		n := 0
		for n < 250 {
			lines := strings.Split(<-polls.posts, "\n")
			if len(lines) > 100 {
				t.Errorf("%d lines", len(lines))
			}
			for _, line := range lines {
				if !strings.HasSuffix(line, fmt.Sprintf(`"a","e",%d]`, n)) {
					t.Errorf("line %q, want that of %d", line, n)
				}
				n++
			}
		}
	})
}

func TestLongPollBatchesAreBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, polls, ch, _ := pollPeer(t, nil)
		for range 5 {
			if err := ch.Send("e", strings.Repeat("x", 400_000)); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			if got := <-polls.posts; len(got) > 1<<19 {
				t.Errorf("a post of %d bytes", len(got))
			}
		}
	})
}

func TestLongPollEndings(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		status int
		code   int
	}{
		{"gone", http.MethodGet, 410, 3410},
		{"forbidden", http.MethodGet, 403, 1008},
		{"error", http.MethodGet, 500, 1011},
		{"post gone", http.MethodPost, 410, 3410},
		{"post not handled", http.MethodPost, 408, 1011},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, polls, ch, closes := pollPeer(t, nil)
				failed := false
				bad := make(chan struct{})
				synctest.Wait() // a poll waits
				polls.setStatus(func(r *http.Request) int {
					if !failed && r.Method == c.method && r.URL.Query().Get("token") != "" {
						failed = true
						close(bad)
						return c.status
					}
					return 0
				})
				if c.method == http.MethodPost {
					if err := ch.Send("e", nil); err != nil {
						t.Fatal(err)
					}
				} else {
					polls.out <- nil // ends the poll under way
				}
				<-bad
				got := <-closes
				var closed *client.CloseError
				if !errors.As(got.Err, &closed) || closed.Code != c.code || !got.Retry {
					t.Errorf("closed %+v", got)
				}
				if got := <-polls.posts; !strings.Contains(got, "phx_join") {
					t.Errorf("posted %q", got)
				}
			})
		})
	}
}

func TestLongPollTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, _, closes := pollPeer(t, nil)
		start := time.Now()
		var closed *client.CloseError
		if got := <-closes; !errors.As(got.Err, &closed) || closed.Code != 1005 || time.Since(start) != 20*time.Second {
			t.Errorf("after %v closed %+v", time.Since(start), got)
		}
	})
}

// If a server answers every poll at once without messages, the client waits between polls.
func TestLongPollDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, polls, _, _ := pollPeer(t, nil)
		synctest.Wait() // a poll waits
		polls.setStatus(func(r *http.Request) int {
			if r.Method == http.MethodGet {
				return 204
			}
			return 0
		})
		polls.out <- nil
		time.Sleep(time.Minute)
		if n := len(p.seen()); n > 40 {
			t.Errorf("%d requests in a minute", n)
		}
	})
}

func TestLongPollAnswersThatMakeNoSense(t *testing.T) {
	for name, f := range map[string]http.HandlerFunc{
		"not found":   http.NotFound,
		"a page":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"nothing":     func(http.ResponseWriter, *http.Request) {},
		"null":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "null") },
		"deep":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("[", 100_000)) },
		"no token":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":410}`) },
		"status 200":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":200}`) },
		"wrong types": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"410","token":1}`) },
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"status":410,`)
		},
		"loop": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.longPoll = f
				s := lpV2.connect(t, peerURL, p.options(&client.Options{MaxMessage: 1_000_000}))
				time.Sleep(time.Minute)
				closeSocket(t, s)
				if n := len(p.seen()); n < 10 || n > 300 {
					t.Errorf("%d requests in a minute", n)
				}
			})
		})
	}
}

// A poll whose connection breaks is not repeated: the messages of its answer are lost, so the
// channels have to join again.
func TestLongPollThatBreaksIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, polls, _, closes := pollPeer(t, nil)
		synctest.Wait() // a poll waits, on a connection that was used before
		broken := false
		p.setRefuse(func(w http.ResponseWriter, r *http.Request) bool {
			if broken || r.Method != http.MethodGet {
				return false
			}
			broken = true
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
			return true
		})
		start := time.Now()
		polls.out <- nil
		if got := <-closes; !got.WasOpen || !got.Retry || time.Since(start) > time.Second {
			t.Errorf("closed %+v after %v", got, time.Since(start))
		}
		if got := <-polls.posts; !strings.Contains(got, "phx_join") {
			t.Errorf("posted %q", got)
		}
	})
}
