package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
)

// cuttable is a broker whose permissions can be taken away and given back.
type cuttable struct {
	options   nodeOptions
	cut, mend func()
}

// cuttableNATS lets nodes do everything, or nothing with topics.
func cuttableNATS(t *testing.T) cuttable {
	t.Helper()
	port := testport.Free(t)
	options := func(denied ...string) *server.Options {
		return &server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, Users: []*server.User{{
			Username: "u", Password: "p", Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{"bennu.>"}, Deny: denied},
				Subscribe: &server.SubjectPermission{Allow: []string{"bennu.>"}, Deny: denied},
			},
		}}}
	}
	s, err := server.NewServer(options())
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	reload := func(denied ...string) {
		t.Helper()
		if err := s.ReloadOptions(options(denied...)); err != nil {
			t.Fatal(err)
		}
	}
	return cuttable{
		options: nodeOptions{Kind: kindNATS, URL: fmt.Sprintf("nats://u:p@127.0.0.1:%d", port)},
		cut:     func() { reload("bennu.t.>") },
		mend:    func() { reload() },
	}
}

// cuttableRedis does the same with an ACL.
func cuttableRedis(t *testing.T) cuttable {
	t.Helper()
	s := redistest.Start(t)
	set := func(channels ...string) {
		t.Helper()
		s.Do(t, append([]string{"ACL", "SETUSER", "u", "on", ">p", "+@pubsub", "+hello", "resetchannels"}, channels...)...)
	}
	set("&bennu.*")
	return cuttable{
		options: nodeOptions{Kind: kindRedis, URL: "redis://u:p@" + s.Addr},
		cut:     func() { set("&bennu.c", "&bennu.n.*", "&bennu.e*", "&bennu.h.*", "&bennu.p.*") },
		mend:    func() { set("&bennu.*") },
	}
}

// TestPermissionsCut takes permissions away while clients of two nodes are joined. All are
// told, health and log say why, and when the permissions are back, so are the clients.
func TestPermissionsCut(t *testing.T) {
	t.Parallel()
	for kind, start := range map[string]func(*testing.T) cuttable{kindNATS: cuttableNATS, kindRedis: cuttableRedis} {
		t.Run(kind, func(t *testing.T) {
			b := start(t)
			var log waittest.Buffer
			logger := slog.New(slog.NewTextHandler(&log, nil))
			var endpoints []*bennu.Endpoint
			var clients []*wstest.Client
			for _, name := range []string{"a", "b"} {
				o := b.options
				o.Node, o.Probe = name, rarely
				adapter, err := newAdapter(&o, logger)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				p, err := pubsub.New(ctx, &pubsub.Options{Adapter: adapter})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = p.Close(context.Background()) })
				e := bennu.NewEndpoint(&bennu.EndpointOptions{
					PubSub: p, Logger: logger, Secret: endpointSecret, DrainTime: bennu.Unlimited,
					Limits: bennu.NodeLimits{PerAddress: bennu.Unlimited},
				})
				e.Socket("/socket", rooms(), nil)
				addr := servetest.Serve(t, e.Serve)
				endpoints = append(endpoints, e)
				for range waittest.Sized(20, 500) {
					clients = append(clients, wstest.Dial(t, "ws://"+addr+"/socket/websocket?vsn=2.0.0&id=x"))
				}
			}
			topic := func(i int) string { return fmt.Sprint("room:", i%20) }
			for i, c := range clients {
				c.Join(topic(i))
			}
			for i := range 20 {
				if err := endpoints[i%2].Broadcast(fmt.Sprint("room:", i), "before", nil); err != nil {
					t.Error(err)
				}
			}
			for i, c := range clients {
				c.Event(topic(i), "before")
			}

			began := time.Now()
			b.cut()
			for i, c := range clients {
				c.Event(topic(i), "phx_error")
			}
			waittest.AtMost(t, fmt.Sprintf("%d clients are told", len(clients)), time.Since(began), 2*time.Second)
			for _, e := range endpoints {
				eventually(t, "health says why", func() bool {
					err := e.Stats().PubSub.Err
					return err != nil && strings.Contains(err.Error(), "bennu.t.")
				})
			}
			if !strings.Contains(log.String(), "reason=broker_topic_refused") {
				t.Error("the log does not say it")
			}
			c := clients[0]
			ref := c.Ref()
			c.Send(wstest.Text(wstest.V2(ref, ref, topic(0), "phx_join", "{}")))
			if m := c.ReplyTo(ref); !strings.Contains(fmt.Sprint(m), "join crashed") {
				t.Errorf("a join meanwhile is answered %v", m)
			}

			began = time.Now()
			b.mend()
			for _, e := range endpoints {
				eventually(t, "all is well", func() bool { return e.Stats().PubSub.Err == nil })
			}
			for i, c := range clients {
				c.Join(topic(i))
			}
			waittest.AtMost(t, "all are back", time.Since(began), 10*time.Second)
			for i, c := range clients {
				other := endpoints[1-i/(len(clients)/2)]
				for back := false; !back; {
					if err := other.Broadcast(topic(i), "after", nil); err != nil {
						t.Error(err)
					}
					m := c.Await("after", func(m wstest.Message) bool {
						return m.Topic == topic(i) && (m.Event == "after" || m.Event == "phx_error")
					})
					if back = m.Event == "after"; !back { // told of the gap that is over, after it had joined
						c.Join(topic(i))
					}
				}
			}
		})
	}
}
