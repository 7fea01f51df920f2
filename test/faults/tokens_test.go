package faults

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// polls is a mount that tokens are tried at.
func polls(e *bennu.Endpoint) {
	options := &bennu.SocketOptions{
		Transports: []transport.Transport{
			websocket.New(nil),
			longpoll.New(&longpoll.Options{
				Window: 5 * time.Minute, PubSubTimeout: 200 * time.Millisecond, MaxSessionsPerAddress: bennu.Unlimited,
			}),
		},
	}
	e.Socket("/socket", echoes(), options)
	e.Socket("/other", echoes(), options)
}

// TestGuessedTokens (F17): tokens made up, or altered from genuine ones, reach no
// session.
func TestGuessedTokens(t *testing.T) {
	s := start(t, nil, polls)
	var victims []*poller
	for range 3 {
		c, err := openSession(s.addr, "/socket/longpoll?vsn=2.0.0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		if err := c.join("room:victim"); err != nil {
			t.Fatal(err)
		}
		victims = append(victims, c)
	}
	before := s.Stats().Transports["longpoll"]

	n := waittest.Sized(2000, 1_000_000)
	const workers = 4
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			p, err := dial(s.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.close()
			g := &guesser{rand.New(rand.NewPCG(uint64(w), 17)), tokens(victims)}
			for range n / workers {
				bad := g.guess()
				if err := p.tryToken(bad, g.IntN(2) == 0); err != nil {
					t.Errorf("%.300q: %v", bad, err)
					return
				}
			}
		})
	}
	all.Wait()

	stats := s.Stats().Transports["longpoll"]
	if stats.Extra["posts"] != before.Extra["posts"] || stats.Extra["polls"] != before.Extra["polls"] || stats.Opened != before.Opened {
		t.Errorf("a request reached a session:\nbefore %+v\nafter  %+v", before, stats)
	}
	if got := stats.Extra["bad_tokens"] - before.Extra["bad_tokens"]; got != uint64(n) {
		t.Errorf("%d bad tokens counted, want %d", got, n)
	}
	t.Logf("%d tokens, 0 accepted", n)
	for _, c := range victims {
		if err := c.still(0); err != nil {
			t.Errorf("a victim: %v", err)
		}
	}
}

func tokens(list []*poller) (tokens []string) {
	for _, c := range list {
		tokens = append(tokens, c.token)
	}
	return tokens
}

// tryToken posts with a token, in the header or in the query. It must be told that
// there is no session.
func (p *peer) tryToken(token string, inHeader bool) error {
	const body = `[null,"1","room:victim","echo",{"from":"a stranger"}]`
	target, line := "/socket/longpoll", "X-Phoenix-Longpoll-Token: "+token
	// What net/http would trim or refuse goes into the query.
	odd := strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(token) != token
	if !inHeader || odd {
		target, line = target+"?token="+url.QueryEscape(token), "X-Nothing: a"
	}
	a, err := p.ask(head("POST", target, line, ndjson, fmt.Sprint("Content-Length: ", len(body))) + body)
	return want(a, err, 200, 410)
}

// guesser makes tokens that are none.
type guesser struct {
	*rand.Rand
	genuine []string
}

func (g *guesser) guess() string {
	for {
		if token := g.make(); !slices.Contains(g.genuine, token) {
			return token
		}
	}
}

func (g *guesser) make() string {
	token := g.genuine[g.IntN(len(g.genuine))]
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	switch g.IntN(12) {
	case 0: // a bit of what it says or of its signature
		raw[g.IntN(len(raw))] ^= 1 << g.IntN(8)
		return encode(raw)
	case 1: // a character
		i := g.IntN(len(token))
		return token[:i] + string(rune(' '+g.IntN(95))) + token[i+1:]
	case 2: // cut
		return token[:g.IntN(len(token))]
	case 3: // longer
		return token + string(rune(' '+g.IntN(95)))
	case 4: // with a byte within
		i := g.IntN(len(token))
		return token[:i] + string(rune(g.IntN(128))) + token[i:]
	case 5: // what one says with the signature of another
		other, err := base64.RawURLEncoding.DecodeString(g.genuine[g.IntN(len(g.genuine))])
		if err != nil {
			panic(err)
		}
		i := 1 + g.IntN(len(raw)-1)
		return encode(append(raw[:i:i], other[min(i, len(other)):]...))
	case 6: // another signature
		for i := len(raw) - 32; i < len(raw); i++ {
			raw[i] = byte(g.Uint32())
		}
		return encode(raw)
	case 7: // no signature
		return encode(raw[:len(raw)-32])
	case 8: // the right form, random from its second byte on
		for i := 1; i < len(raw); i++ {
			raw[i] = byte(g.Uint32())
		}
		return encode(raw)
	case 9: // random, of any length
		b := make([]byte, g.IntN(200))
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		return encode(b)
	case 10: // written another way
		return [...]string{
			strings.ToUpper(token), strings.ToLower(token), token + "=", token + "==", " " + token, token + "\n",
			base64.RawStdEncoding.EncodeToString(raw) + "+", base64.StdEncoding.EncodeToString(raw) + "=", fmt.Sprintf("%x", raw), token + token,
		}[g.IntN(10)]
	default: // the number of the batch, or the session, one further
		i := []int{8, 24}[g.IntN(2)]
		raw[i]++
		return encode(raw)
	}
}

// TestForeignTokens (F17): a token is worth nothing at another mount, at another
// endpoint, with the same secret or not, and after its session has ended: 410, and a
// poll gets a token of its own.
func TestForeignTokens(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	home := start(t, &bennu.EndpointOptions{Secret: secret}, polls)
	c, err := openSession(home.addr, "/socket/longpoll?vsn=2.0.0&id=home")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	elsewhere := func(name, addr, path string) {
		t.Run(name, func(t *testing.T) {
			p, err := dial(addr)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			foreign := &poller{peer: p, path: path + "/longpoll?vsn=2.0.0", token: c.token}
			if err := foreign.gone(); err != nil {
				t.Error(err)
			}
		})
	}
	elsewhere("another mount", home.addr, "/other")
	elsewhere("another secret", start(t, &bennu.EndpointOptions{Secret: []byte("fedcba9876543210fedcba9876543210")}, polls).addr, "/socket")
	elsewhere("a secret of its own", start(t, nil, polls).addr, "/socket")
	elsewhere("the same secret", start(t, &bennu.EndpointOptions{Secret: secret}, polls).addr, "/socket")
	if err := c.still(0); err != nil {
		t.Errorf("at home: %v", err)
	}
	if err := home.Disconnect("home"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session is gone", func() bool { return !c.lives(t) })
	elsewhere("a session that has ended", home.addr, "/socket")

	// The node that has the session is there and answers, but not any more for it.
	shared := &bennu.EndpointOptions{Secret: secret, PubSub: home.PubSub()}
	elsewhere("a session of another node that has ended", start(t, shared, polls).addr, "/socket")
}

// lives asks whether the session is there.
func (c *poller) lives(t *testing.T) bool {
	t.Helper()
	a, err := c.post(ndjson, wstest.V2("null", `"1"`, "phoenix", "heartbeat", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	return a.Envelope.Status != 410
}
