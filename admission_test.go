package bennu_test

import (
	"context"
	"net/http"
	"strconv"
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

// busy wants a server to refuse over both transports, and to say when to come back.
func (s *server) busy(t *testing.T, lines ...string) {
	t.Helper()
	c, answer := wstest.Open(t, s.url, lines...)
	if c != nil {
		t.Fatal("was let in over WebSocket")
	}
	s.wantBusy(t, answer)
	r, err := http.NewRequest(http.MethodGet, s.polls(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: wstest.Patience}
	if answer, err = client.Do(r); err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	s.wantBusy(t, answer)
}

func (s *server) wantBusy(t *testing.T, answer *http.Response) {
	t.Helper()
	after, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if answer.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 || after > 5 || answer.ContentLength != 0 {
		t.Fatalf("refused with %s, %v", answer.Status, answer.Header)
	}
}

// overBoth mounts both transports. Clients that do not poll for a while are not gone.
var overBoth = &bennu.SocketOptions{Transports: over(nil, &longpoll.Options{Window: wstest.Patience})}

// TestConnectionsLimit opens as many connections as there may be. Those that were refused
// do not count, and the place of one that ended is free.
func TestConnectionsLimit(t *testing.T) {
	s := serve(t, one("*", rooms()), overBoth, &bennu.EndpointOptions{Limits: bennu.NodeLimits{Connections: 2}})
	first := wstest.Dial(t, s.url)
	wstest.DialLongPoll(t, s.polls()).Join("a")
	eventually(t, "both are open", func() bool { return s.Stats().Sockets == 2 })
	for range 3 {
		s.busy(t)
	}
	first.Abort()
	eventually(t, "one is gone", func() bool { return s.Stats().Sockets == 1 })
	wstest.Dial(t, s.url).Join("a")
	s.busy(t)
}

// TestPerAddress counts by a header, as behind a proxy, over both transports.
func TestPerAddress(t *testing.T) {
	users := one("*", rooms())
	users.Connect = func(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
		switch who, _ := info.Params.String("who"); who {
		case "stranger":
			return bennu.ErrRefused
		case "bug":
			panic("connect")
		}
		return nil
	}
	s := serve(t, users, overBoth, &bennu.EndpointOptions{Limits: bennu.NodeLimits{
		PerAddress:    2,
		ClientAddress: func(r *http.Request) string { return r.Header.Get("X-Client") },
	}})
	const here, neighbour, elsewhere = "X-Client: 2001:db8::1", "X-Client: 2001:db8::2", "X-Client: 2001:db8:0:1::1"
	for range 5 { // none of these leaves anything behind
		for _, who := range []string{"stranger", "bug"} {
			if c, _ := wstest.Open(t, s.url+"&who="+who, here); c != nil {
				t.Fatal("was let in")
			}
			if c, _ := wstest.OpenLongPoll(t, s.polls()+"&who="+who, here); c != nil {
				t.Fatal("was let in")
			}
		}
		// Connect says yes, and then the upgrade is none.
		if c, answer := wstest.Open(t, s.url, here, "Sec-WebSocket-Version: 12"); c != nil || answer.StatusCode == http.StatusServiceUnavailable {
			t.Fatalf("answered %v", answer)
		}
	}
	first := wstest.Dial(t, s.url, here)
	wstest.DialLongPoll(t, s.polls(), neighbour).Join("a")
	first.Join("a")
	s.busy(t, here)
	s.busy(t, neighbour)
	wstest.Dial(t, s.url, elsewhere).Join("a")
	wstest.Dial(t, s.url).Join("a") // counts by its own
	first.Abort()
	eventually(t, "one is gone", func() bool { return s.Stats().Sockets == 3 })
	eventually(t, "its place is free", func() bool { // when its socket is closed
		c, _ := wstest.Open(t, s.url, neighbour)
		if c != nil {
			c.Join("a")
		}
		return c != nil
	})
	s.busy(t, here)
}

// TestLongPollClientAddress has one field say for both transports what a client's address
// is.
func TestLongPollClientAddress(t *testing.T) {
	s := serve(t, one("*", rooms()), &bennu.SocketOptions{Transports: over(nil, &longpoll.Options{MaxSessionsPerAddress: 1})},
		&bennu.EndpointOptions{Limits: bennu.NodeLimits{ClientAddress: func(r *http.Request) string { return r.Header.Get("X-Client") }}})
	wstest.DialLongPoll(t, s.polls(), "X-Client: 192.0.2.1")
	wstest.DialLongPoll(t, s.polls(), "X-Client: 192.0.2.2")
	if c, status := wstest.OpenLongPoll(t, s.polls(), "X-Client: 192.0.2.1"); c != nil || status != http.StatusServiceUnavailable {
		t.Errorf("a second session of one address: %d", status)
	}
}

// TestLimitsAreLogged says once what holds.
func TestLimitsAreLogged(t *testing.T) {
	s := serve(t, one("*", rooms()), &bennu.SocketOptions{Transports: both}, &bennu.EndpointOptions{Limits: bennu.NodeLimits{
		Connections: 77, PerAddress: 5, Connects: 3, Joins: bennu.Unlimited,
	}})
	if s.log.all() != "" {
		t.Errorf("before the first client: %s", s.log.all())
	}
	for range 3 {
		wstest.Dial(t, s.url).Join("a")
	}
	got := s.log.about("limits of this node")
	const want = "limits of this node connections=77 per_address=5 connects_at_once=3 joins_at_once=unlimited open_files="
	if len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("got  %q\nwant %s", got, want)
	}
	const connection = "limits of a connection path=/socket topics=100 mailbox_messages=256 mailbox_bytes=262144 join_burst=unlimited join_rate=20 " +
		"message_values=10000 message_rate=unlimited late_callbacks=100 connect_timeout=5s join_timeout=10s handler_grace=10s expiry_grace=25s"
	if got := s.log.about("limits of a connection"); len(got) != 1 || got[0] != connection {
		t.Errorf("got  %q\nwant %s", got, connection)
	}
	mounts := strings.Join(s.log.about("limits of a mount"), "\n")
	for _, want := range []string{" close_linger=1s", " max_age=10m0s", " pubsub_timeout=2s", " max_per_address=64"} {
		if !strings.Contains(mounts, want) {
			t.Errorf("%q is not in\n%s", want, mounts)
		}
	}
}

// TestConnectionsLowered says that the process may not open as many files.
func TestConnectionsLowered(t *testing.T) {
	s := serve(t, one("*", rooms()), nil, &bennu.EndpointOptions{Limits: bennu.NodeLimits{Connections: 1 << 30}})
	wstest.Dial(t, s.url).Join("a")
	if got := s.log.about("the process may open too few files for Limits.Connections, which is lowered"); len(got) != 1 || !strings.Contains(got[0], "given=1073741824 connections=") {
		t.Errorf("got %q", got)
	}
}

// TestMountMistakes are options that cannot be meant, over whatever transport.
func TestMountMistakes(t *testing.T) {
	read := func(*http.Request) (map[string]any, bool) { return nil, false }
	bothOff := transport.Checks{
		InsecureSkipOriginCheck: true,
		Session:                 &transport.SessionCheck{Read: read, InsecureSkipCSRFCheck: true},
	}
	for name, tc := range map[string]struct {
		options bennu.SocketOptions
		want    string
	}{
		"origin and CSRF off":                {bennu.SocketOptions{Checks: bothOff}, "origin and CSRF checks are both off"},
		"origin and CSRF off, long poll":     {bennu.SocketOptions{Checks: bothOff, Transports: []transport.Transport{longpoll.New(nil)}}, "origin and CSRF checks are both off"},
		"session without a way to read it":   {bennu.SocketOptions{Checks: transport.Checks{Session: &transport.SessionCheck{}}}, "no Read"},
		"no transport":                       {bennu.SocketOptions{Transports: []transport.Transport{}}, "the list of Transports is empty"},
		"both at one path":                   {bennu.SocketOptions{Transports: over(nil, &longpoll.Options{Path: "websocket"})}, "already mounted"},
		"a limit of long polling":            {bennu.SocketOptions{Transports: over(nil, &longpoll.Options{MaxBody: -7})}, "MaxBody is -7"},
		"a window that is no window at all":  {bennu.SocketOptions{Transports: over(nil, &longpoll.Options{Window: bennu.Unlimited})}, "Window"},
		"a subprotocol that is not a token,": {bennu.SocketOptions{Checks: transport.Checks{Subprotocols: []string{"a b"}}}, "not a token"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, tc.want) || !strings.Contains(text, "admission_test.go:") {
					t.Errorf("panics with %q", text)
				}
			}()
			quiet().Socket("/socket", one("*", rooms()), &tc.options)
		})
	}
}

// TestClosedConnectionsAreCut has clients that are closed and do not go: their files are in use,
// so beyond a few each new connection cuts the oldest of them.
func TestClosedConnectionsAreCut(t *testing.T) { engines(t, testClosedConnectionsAreCut) }

func testClosedConnectionsAreCut(t *testing.T, o *bennu.EndpointOptions) {
	const most = 16
	o.Limits.Connections = 10
	s := serve(t, one("*", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{CloseLinger: time.Hour})}}, o)
	var first *wstest.Client
	for i := range 2 * most {
		c := wstest.Dial(t, s.url)
		if first == nil {
			first = c
		}
		c.Send(wstest.Text("nonsense"))
		if f := c.Next(); f.Code() != 1011 {
			t.Fatalf("got %v", f)
		}
		waittest.Until(t, "it is closed", func() bool { return s.Stats().Transports["websocket"].Closing == int64(min(i+1, most+1)) })
	}
	waittest.Until(t, "the oldest is cut", func() bool {
		_, err := first.Conn().Write([]byte{0})
		return err != nil
	})
	s.says(t, notice.LingerCut)
}

// TestClosedConnectionsCount has one address keep the sockets of closed connections: they count for
// that address until they are gone, and others do not notice.
func TestClosedConnectionsCount(t *testing.T) { engines(t, testClosedConnectionsCount) }

func testClosedConnectionsCount(t *testing.T, o *bennu.EndpointOptions) {
	o.Limits.PerAddress = 1
	o.Limits.ClientAddress = func(r *http.Request) string { return r.Header.Get("X-Client") }
	s := serve(t, one("*", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{CloseLinger: time.Hour})}}, o)
	c, _ := wstest.Open(t, s.url, "X-Client: a")
	c.Send(wstest.CloseFrame(1000))
	c.Next()
	waittest.Until(t, "it is closed", func() bool { return s.Stats().Sockets == 0 && s.Stats().Transports["websocket"].Closing == 1 })
	if again, answer := wstest.Open(t, s.url, "X-Client: a"); again != nil || answer.StatusCode != 503 {
		t.Errorf("the same address: status %d", answer.StatusCode)
	}
	if other, answer := wstest.Open(t, s.url, "X-Client: b"); other == nil {
		t.Errorf("another address: status %d", answer.StatusCode)
	}
	c.Abort()
	waittest.Until(t, "it is gone", func() bool { return s.Stats().Transports["websocket"].Open == 1 })
	waittest.Until(t, "the address may connect", func() bool {
		again, _ := wstest.Open(t, s.url, "X-Client: a")
		return again != nil
	})
}
