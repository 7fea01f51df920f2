package natspubsub

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// mayNot returns a user who may publish to all subjects below the prefix except one.
func mayNot(publish ...string) *server.Permissions {
	p := may(everything, everything)
	p.Publish.Deny = publish
	return p
}

// may returns the permissions of a user of the server.
func may(publish, subscribe []string, denied ...string) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe, Deny: denied},
	}
}

var everything = []string{"bennu.>"}

// user makes "u" the only user of a server.
func user(p *server.Permissions) func(*server.Options) {
	return func(o *server.Options) { o.Users = []*server.User{{Username: "u", Password: "p", Permissions: p}} }
}

func asUser(o *Options) { o.User, o.Password = "u", "p" }

// reload changes the configuration of a running server.
func (b *broker) reload(t *testing.T, change func(*server.Options)) {
	t.Helper()
	o := b.options
	change(&o)
	if err := b.running.ReloadOptions(&o); err != nil {
		t.Fatal(err)
	}
}

// TestMayNotStart has users that lack a permission. The error names the subject.
func TestMayNotStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		may  *server.Permissions
		says []string
	}{
		"publish":            {may([]string{"other"}, everything), []string{"publish to", `"bennu.c"`}},
		"subscribe":          {may(everything, []string{"other"}), []string{"subscribe to", `"bennu.c"`}},
		"one level":          {may([]string{"bennu.*"}, []string{"bennu.*"}), []string{`"bennu.n.a"`}},
		"topics, subscribed": {may(everything, everything, "bennu.t.>"), []string{"subscribe to", `"bennu.t.`}},
		"topics, published":  {mayNot("bennu.t.>"), []string{"publish to", `"bennu.t.`}},
		"inboxes, published": {mayNot("bennu.n.>"), []string{"publish to", `"bennu.n.a"`}},
	} {
		b := startBroker(t, user(c.may))
		err := startError(t, b.node(t, "a", asUser))
		wantSays(t, err, append(c.says, "natspubsub: ", `allow both for "bennu.>"`)...)
		t.Log(name, err)
	}
	few := startBroker(t, func(o *server.Options) { o.MaxSubs = 2 })
	wantSays(t, startError(t, few.node(t, "a", nil)), "max_subscriptions")
}

// TestPermissionsCut revokes permissions while nodes run, and grants them again.
func TestPermissionsCut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cut  func(*server.Options)
		says string
		mute bool // publishing is refused, too
	}{
		"topics":       {user(may(everything, everything, "bennu.t.>")), "subscribe to", false},
		"control":      {user(may(everything, everything, "bennu.c")), `subscribe to "bennu.c"`, false},
		"inboxes":      {user(may(everything, everything, "bennu.n.*")), `subscribe to "bennu.n.`, false},
		"all":          {user(may([]string{"other"}, []string{"other"})), "bennu.", true},
		"publish":      {user(mayNot("bennu.t.>")), `publish to "bennu.t.`, true},
		"no more user": {func(o *server.Options) { o.Users = []*server.User{{Username: "x", Password: "x"}} }, "credentials", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t, user(may(everything, everything)))
			var log waittest.Buffer
			with := func(o *Options) {
				asUser(o)
				o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			}
			p, q := pubsubtest.Start(t, b.node(t, "a", with), nil), pubsubtest.Start(t, b.node(t, "b", with), nil)
			boxes := make([]*inbox, 20)
			for i := range boxes {
				boxes[i] = newInbox()
				await(t, q.Subscribe(fmt.Sprint(i), boxes[i]))
			}
			publish := func() error { return p.Broadcast(&pubsub.Message{Topic: "0", Event: "x"}) }

			b.reload(t, c.cut)
			if c.mute {
				eventually(t, "publishers are told", func() bool { err := publish(); return err != nil && !errors.Is(err, pubsub.ErrBufferFull) })
				eventually(t, "the publisher's health says it", func() bool {
					h := p.Health()
					return h.Err != nil && strings.Contains(h.Err.Error(), "bennu.") && h.Lost > 0
				})
			}
			if name != "publish" {
				for i, box := range boxes {
					waittest.Next(t, fmt.Sprintf("%d is told of a gap", i), box.gaps)
				}
				eventually(t, "health says why", func() bool {
					err := q.Health().Err
					return err != nil && strings.Contains(err.Error(), c.says)
				})
				// A subscription that is made now is not confirmed, and gets a gap.
				late := newInbox()
				sub := q.Subscribe("late", late)
				waittest.Next(t, "who comes now is told", late.gaps)
				select {
				case <-sub.Ready():
					t.Error("interest is confirmed while it is refused")
				default:
				}
				sub.Cancel()
			}
			eventually(t, "the log says why", func() bool {
				text := log.String()
				return strings.Contains(text, "reason=broker_deaf") || strings.Contains(text, "reason=broker_topic_refused") || strings.Contains(text, "reason=broker_refused")
			})

			b.reload(t, user(may(everything, everything)))
			eventually(t, "all is well", func() bool {
				_ = publish() // so that the node notices the permission
				return p.Health().Err == nil && q.Health().Err == nil && q.Health().Pending == 0
			})
			again := newInbox()
			await(t, q.Subscribe("again", again))
			if err := p.Broadcast(&pubsub.Message{Topic: "again", Event: "x"}); err != nil {
				t.Error(err)
			}
			again.next(t)
			for len(boxes[0].messages) > 0 {
				<-boxes[0].messages
			}
			if err := publish(); err != nil {
				t.Error(err)
			}
			boxes[0].next(t)
		})
	}
}

// TestSubscriptionLimit has a server with a small limit on subscriptions.
func TestSubscriptionLimit(t *testing.T) {
	t.Parallel()
	t.Run("at once", func(t *testing.T) {
		b := limitedBroker(t)
		subscriptionLimit(t, b, b.node(t, "b", nil))
	})
	t.Run("complaints come late", func(t *testing.T) {
		b := limitedBroker(t)
		l := newLink("", 0)
		l.url = b.url()
		late := func(c *nats.Conn, s *nats.Subscription, err error) {
			time.Sleep(time.Duration(rand.Int64N(int64(5 * stragglers)))) // as on a busy machine
			l.fault(c, s, err)
		}
		l.options = []nats.Option{nats.SetCustomDialer(l.dialer(time.Minute)), nats.ErrorHandler(late)}
		node, err := newNode(cluster.Options{Node: "b", Logger: quiet}, l)
		if err != nil {
			t.Fatal(err)
		}
		subscriptionLimit(t, b, node)
	})
}

func limitedBroker(t *testing.T) *broker {
	return startBroker(t, func(o *server.Options) { o.MaxSubs = 13 })
}

func subscriptionLimit(t *testing.T, b *broker, limited pubsub.Adapter) {
	p, q := pubsubtest.Start(t, b.node(t, "a", nil), nil), pubsubtest.Start(t, limited, &pubsub.Options{Linger: 1})
	boxes, subs := make([]*inbox, 20), make([]*pubsub.Subscription, 20)
	for i := range boxes {
		boxes[i] = newInbox()
		subs[i] = q.Subscribe(fmt.Sprint(i), boxes[i])
	}
	check := func(what string) {
		t.Helper()
		eventually(t, what, func() bool {
			h := q.Health()
			return h.Topics-h.Pending == 8 && h.Err != nil && strings.Contains(h.Err.Error(), "refuses 12 of 20 topics") && strings.Contains(h.Err.Error(), "max_subscriptions")
		})
		arrive := 0
		for i := range boxes {
			open := false
			if ready := subs[i].Ready(); ready != nil {
				select {
				case <-ready:
				default:
					open = true
				}
			}
			if open {
				continue
			}
			arrive++
			if err := p.Broadcast(&pubsub.Message{Topic: fmt.Sprint(i), Event: "x"}); err != nil {
				t.Error(err)
			}
			boxes[i].next(t)
		}
		if arrive != 8 {
			t.Errorf("%s: %d topics are confirmed, want 8", what, arrive)
		}
	}
	check("as many as may be are confirmed")
	gaps, since := q.Health().Gaps, [2]time.Time{p.Health().Since, q.Health().Since}
	for _, c := range connections(t, b.running) {
		if err := b.running.DisconnectClientByID(c); err != nil {
			t.Fatal(err)
		}
	}
	// Messages are lost if they are published before the node notices that its connection has ended.
	eventually(t, "both were away, and are back", func() bool {
		a, b := p.Health(), q.Health()
		return a.Connected && a.Since != since[0] && b.Connected && b.Since != since[1]
	})
	eventually(t, "the gap is told", func() bool { return q.Health().Gaps > gaps })
	check("as many as before are confirmed")
	for i := range 12 {
		subs[i].Cancel()
	}
	eventually(t, "the others have their place", func() bool { h := q.Health(); return h.Topics == 8 && h.Pending == 0 && h.Err == nil })
}

func connections(t *testing.T, s *server.Server) (ids []uint64) {
	t.Helper()
	z, err := s.Connz(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range z.Conns {
		ids = append(ids, c.Cid)
	}
	return ids
}

// TestPayloadLimit lowers the limit on messages of a running server. NATS closes the connection of a
// client that does not know it yet, and the client does not connect again.
func TestPayloadLimit(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	p, q := pubsubtest.Start(t, b.node(t, "a", nil), nil), pubsubtest.Start(t, b.node(t, "b", nil), nil)
	box := newInbox()
	await(t, q.Subscribe("t", box))
	b.reload(t, func(o *server.Options) { o.MaxPayload = 1000 })
	large := &pubsub.Message{Topic: "t", Event: "large", Payload: make([]byte, 5000), Binary: true}
	eventually(t, "the publisher is told", func() bool { return errors.Is(p.Broadcast(large), pubsub.ErrTooLarge) })
	eventually(t, "messages that fit arrive", func() bool {
		if err := p.Broadcast(&pubsub.Message{Topic: "t", Event: "small"}); err != nil {
			t.Error(err)
		}
		return len(box.messages) > 0
	})
}

// TestDocumentedPermissions runs two nodes with the configuration of the documentation.
func TestDocumentedPermissions(t *testing.T) {
	t.Parallel()
	o, err := server.ProcessConfigFile("testdata/permissions.conf")
	if err != nil {
		t.Fatal(err)
	}
	b := startBroker(t, func(into *server.Options) { into.Users = o.Users })
	with := func(o *Options) { o.User, o.Password = "bennu", "change me" }
	p, q := pubsubtest.Start(t, b.node(t, "a.b@c:1", with), nil), pubsubtest.Start(t, b.node(t, "b", with), nil)
	for _, topic := range []string{"room:lobby", "a.b.c.*", ">", "", strings.Repeat("long", 500)} {
		box := newInbox()
		await(t, q.Subscribe(topic, box))
		if err := p.Broadcast(&pubsub.Message{Topic: topic, Event: "x"}); err != nil {
			t.Error(err)
		}
		if err := p.DirectBroadcast("b", &pubsub.Message{Topic: topic, Event: "x"}); err != nil {
			t.Error(err)
		}
		box.next(t)
		box.next(t)
	}
	if h := q.Health(); h.Err != nil || p.Health().Err != nil {
		t.Errorf("health: %v, %v", p.Health().Err, h.Err)
	}
}
