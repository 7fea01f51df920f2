package longpoll

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/wire"
)

// benchServe serves without a network, so that the transport is measured and not
// the HTTP server.
func benchServe(b *testing.B, h *handler, a ask) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.Serve(w, a.request("http://example.com"), nil)
	if w.Code != http.StatusOK {
		b.Fatal(w.Code)
	}
	return w
}

func benchOpen(b *testing.B, srv *server, a *exchange) (*handler, string) {
	h := mustHandler(b, srv, a, nil)
	r, err := readReply(benchServe(b, h, ask{}).Result())
	if err != nil {
		b.Fatal(err)
	}
	return h, r.Token
}

// BenchmarkRoundTrip posts a message and polls for its echo.
func BenchmarkRoundTrip(b *testing.B) {
	h, token := benchOpen(b, testServer(b, nil), &exchange{})
	b.ReportAllocs()
	for b.Loop() {
		benchServe(b, h, ask{method: "POST", token: token, body: heartbeat})
		benchServe(b, h, ask{token: token})
	}
}

// BenchmarkRelayedRoundTrip does so through a second server.
func BenchmarkRelayedRoundTrip(b *testing.B) {
	p := pubsub.NewLocal()
	owner := testServer(b, &serverConfig{PubSub: p, Secret: clusterSecret})
	other := testServer(b, &serverConfig{PubSub: p, Secret: clusterSecret})
	_, token := benchOpen(b, owner, &exchange{})
	h := mustHandler(b, other, &exchange{}, nil)
	b.ReportAllocs()
	for b.Loop() {
		benchServe(b, h, ask{method: "POST", token: token, body: heartbeat})
		benchServe(b, h, ask{token: token})
	}
}

// BenchmarkPollFull polls for 100 messages of 200 bytes.
func BenchmarkPollFull(b *testing.B) {
	x := &exchange{}
	h, token := benchOpen(b, testServer(b, nil), x)
	conn := x.last().conn
	f := seal(wire.Text, `["1",null,"room:1","event",{"text":"`+strings.Repeat("x", 160)+`"}]`)
	b.ReportAllocs()
	for b.Loop() {
		for range 100 {
			conn.Send(f)
		}
		benchServe(b, h, ask{token: token})
	}
}

func BenchmarkToken(b *testing.B) {
	k := newKeys(nil)
	t := token{session: newID(), boot: newID(), node: "bennu@10.0.0.1"}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := k.open(k.seal(&t)); !ok {
			b.Fatal("not accepted")
		}
	}
}
