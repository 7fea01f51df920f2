package transporttest

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
)

var opening = []check{
	{
		name: "open/early",
		law:  "the receiver is told of the connection before the first message, and a message that comes together with the handshake is not lost",
		body: func(s *suite) {
			s.start(setup{})
			_, p := s.connectTo(Target{First: []byte(text("early"))})
			p.want(text("early"))
		},
	},
	{
		name: "open/both ways",
		law:  "messages go both ways over a connection that is open",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			for range 3 {
				s.alive(c, p)
			}
		},
	},
	{
		name: "open/info",
		law:  "Connect is told the name of the transport, the parameters and the address of the client, over HTTP also the variables of the path and the headers",
		body: info,
	},
	{
		name: "open/token",
		law:  "Connect is told the auth token that a client sends beside its parameters: the transport passes it to Accept in the header X-Phoenix-AuthToken",
		body: token,
	},
	{
		name: "open/subprotocol",
		law:  "the subprotocol that Session.Subprotocol chose is echoed to the client",
		body: func(s *suite) {
			s.start(setup{socket: bennu.SocketOptions{Checks: transport.Checks{Subprotocols: []string{"one", "two"}}}})
			c, _ := s.connectTo(Target{Header: http.Header{"Sec-Websocket-Protocol": {"three, two"}}})
			knows, ok := c.Client.(Subprotocoler)
			if !ok {
				s.Skip("not for this transport: it has no subprotocols")
			}
			if got := knows.Subprotocol(); got != "two" {
				s.Errorf("the client was told the subprotocol %q, want %q", got, "two")
			}
		},
	},
	{
		name: "open/stays",
		law:  "a deadline of the handshake is cleared before Serve, and that of a Write does not hold for Close: a connection on which nothing happens stays open, and is closed with a code",
		body: stays,
	},
}

// stays lets two connections wait. Nothing was written to the first one, whose link has no deadline
// but that of its handshake.
func stays(s *suite) {
	if testing.Short() && !s.bubble {
		s.Skip("it waits for 11 s")
	}
	s.start(setup{})
	c, p := s.connect()
	written, closes := s.connect()
	s.alive(written, closes)
	time.Sleep(handshake)
	for _, p := range []*peer{p, closes} {
		if !p.isOpen() {
			s.Fatalf("a connection on which nothing happened has ended: %v", p.end())
		}
	}
	s.alive(c, p)
	closes.close(4001)
	closes.endsWith(&transport.ClosedError{Code: 4001})
	written.closed(4001)
}

func info(s *suite) {
	var mu sync.Mutex
	var got []string
	s.start(setup{
		hooks: hooks{connect: func(i *bennu.ConnectInfo) error {
			mu.Lock()
			defer mu.Unlock()
			a, _ := i.Params.String("a")
			nested, _ := i.Params["user"].(transport.Params)
			id, _ := nested.String("id")
			got = append(got, "name", i.Transport, "a", a, "id", id)
			if i.PeerAddr() != "" {
				got = append(got, "address")
			}
			if s.HTTP {
				room, _ := i.Params.String("room")
				agent := i.Header().Get("User-Agent")
				got = append(got, "room", room, "agent", agent)
			}
			return nil
		}},
	})
	s.connectTo(Target{
		RawQuery: "vsn=2.0.0&a=1%202&user[id]=7",
		Header:   http.Header{"User-Agent": {"suite"}},
	})
	mu.Lock()
	defer mu.Unlock()
	want := []string{"name", s.name, "a", "1 2", "id", "7", "address"}
	if s.HTTP {
		want = append(want, "room", "blue", "agent", "suite")
	}
	if a, b := strings.Join(got, "|"), strings.Join(want, "|"); a != b {
		s.Errorf("Connect was told %s, want %s", a, b)
	}
}

func token(s *suite) {
	var got cell[string]
	s.start(setup{
		socket: bennu.SocketOptions{Checks: transport.Checks{AuthToken: true}},
		hooks: hooks{connect: func(i *bennu.ConnectInfo) error {
			if got.set("none"); i.AuthToken != nil {
				got.set(*i.AuthToken)
			}
			return nil
		}},
	})
	s.connectTo(Target{Header: http.Header{"X-Phoenix-Authtoken": {"secret-7"}}})
	if token := got.get(); token != "secret-7" {
		s.Errorf("Connect was told the token %s, want secret-7", token)
	}
}
