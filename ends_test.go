package bennu_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport/longpoll"
)

// TestEnds lets clients join, push, leave and go at random, on channels that end in each
// way there is, and holds what each client is told against these rules:
//
//   - a push with a ref gets one reply, or its channel or its connection ends;
//   - broadcasts of one publisher come in order, and none twice;
//   - after the reply to a leave nothing comes from the channel but its phx_close;
//   - each instance that Join returned gets one Terminate, and no other gets any;
//   - in the end goroutines, files and what Stats counts at this moment are as before.
//
// BENNU_SEED=n plays the schedule of one seed.
func TestEnds(t *testing.T) {
	engines(t, func(t *testing.T, o *bennu.EndpointOptions) { testEnds(t, o, "websocket") })
	t.Run("longpoll", func(t *testing.T) { testEnds(t, &bennu.EndpointOptions{}, "longpoll") })
}

func testEnds(t *testing.T, o *bennu.EndpointOptions, transport string) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("BENNU_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("BENNU_SEED: %v", err)
		}
	}
	t.Logf("BENNU_SEED=%d", seed)

	var book ledger
	users := one("room*", actors(&book, func(a *actor) error {
		a.n++
		return a.Broadcast("n", numberedNote{P: fmt.Sprint("actor", a.id), N: a.n})
	}))
	users.Connect = func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
		user, _ := info.Params.String("user")
		s.Assign("user", user)
		return nil
	}
	users.ID = func(s *bennu.Socket) string { return "users:" + s.Assigned("user").(string) }
	// A session that is not polled any more ends within three windows, and so may one whose
	// client is late: that is an end like any other.
	s := serve(t, users, &bennu.SocketOptions{Transports: over(nil, &longpoll.Options{Window: 300 * time.Millisecond, MaxSessionsPerAddress: bennu.Unlimited})}, o)
	r := &road{server: s, transport: transport}
	r.dial(t, "&user=0").Abort()
	eventually(t, "the first connection is gone", func() bool { return s.Stats().Sockets == 0 })
	before := settle()

	clients := sized(6, 24)
	t.Run("clients", func(t *testing.T) {
		for i := range clients {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				p := &player{t: t, road: r, rand: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprint("client", i), published: map[string]int{}}
				for range sized(8, 100) {
					p.connection()
				}
			})
		}
	})
	book.even(t)
	before.backAt(t, s)
}

// A player plays one connection after the other.
type player struct {
	*road
	t         *testing.T
	rand      *rand.Rand
	name      string
	published map[string]int // broadcasts of its own, by topic
	user      int

	c       *wstest.Client
	w       *witness
	latest  map[string]string // the join_ref of the last phx_join, by topic
	batch   []wstest.Frame
	refs    int
	hasGone bool
}

func pick(r *rand.Rand, of []string) string { return of[r.IntN(len(of))] }

// connection plays one connection from its handshake to its end.
func (p *player) connection() {
	p.t.Helper()
	p.user++
	id := fmt.Sprintf("%s-%d", p.name, p.user)
	p.c = p.dial(p.t, "&user="+id)
	p.w, p.latest, p.refs, p.hasGone = newWitness(p.t), map[string]string{}, 0, false
	defer p.c.Abort()
	for range 1 + p.rand.IntN(80) {
		for range 1 + p.rand.IntN(6) {
			p.act()
		}
		p.send()
		switch p.rand.IntN(80) {
		case 0:
			return // gone in the middle of it all
		case 1:
			if err := p.Disconnect("users:" + id); err != nil {
				p.t.Error(err)
			}
		}
		if p.rand.IntN(2) == 0 {
			p.fence()
		}
		if p.hasGone {
			return
		}
	}
	p.settle()
}

// act puts one more frame into the batch, or broadcasts.
func (p *player) act() {
	topic := "room" + strconv.Itoa(p.rand.IntN(3))
	switch n := p.rand.IntN(20); {
	case n < 4 || p.latest[topic] == "":
		p.frame(topic, "phx_join", fmt.Sprintf(`{"mode":%q}`, pick(p.rand, joinModes)))
	case n < 6:
		p.frame(topic, "phx_leave", "{}")
	case n < 8:
		p.published[topic]++
		if err := p.Broadcast(topic, "n", numberedNote{P: p.name, N: p.published[topic]}); err != nil {
			p.t.Error(err)
		}
	default:
		action := pick(p.rand, actions)
		if action == "disconnect" && p.rand.IntN(4) > 0 {
			action = "echo" // or hardly a connection would grow old
		}
		p.frame(topic, action, "{}")
	}
}

func (p *player) frame(topic, event, payload string) (ref string) {
	p.refs++
	ref = strconv.Quote(strconv.Itoa(p.refs))
	joinRef := "null"
	if topic != "phoenix" {
		if event == "phx_join" {
			p.latest[topic] = ref
		}
		joinRef = p.latest[topic]
	}
	p.batch = append(p.batch, wstest.Text(wstest.V2(joinRef, ref, topic, event, payload)))
	p.w.asks(ref, asked{joinRef, topic, event, payload})
	return ref
}

func (p *player) send() {
	p.hasGone = p.hasGone || !p.c.TrySend(p.batch...)
	p.batch = p.batch[:0]
}

// next takes in one message.
func (p *player) next() {
	p.t.Helper()
	m, ok := p.c.TryMessage()
	if !ok {
		p.hasGone = true
		return
	}
	p.w.sees(m)
}

// fence reads until a heartbeat is answered.
func (p *player) fence() {
	p.t.Helper()
	ref := p.frame("phoenix", "heartbeat", "{}")
	p.send()
	for !p.hasGone {
		if _, waits := p.w.sent[ref]; !waits {
			return
		}
		p.next()
	}
}

// await reads until nothing is owed.
func (p *player) await() {
	p.t.Helper()
	for !p.hasGone && p.w.open() {
		p.next()
	}
}

// settle wants what is owed, leaves all topics, and wants nothing more.
func (p *player) settle() {
	p.t.Helper()
	p.await()
	for topic := range p.latest {
		p.frame(topic, "phx_leave", "{}")
	}
	p.send()
	p.await()
	p.fence()
	for topic := range p.w.live {
		if !p.hasGone {
			p.w.fatalf("%s is joined after its leave", topic)
		}
	}
	p.fence()
}
