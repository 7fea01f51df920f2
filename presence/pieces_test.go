package presence_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// stock folds what a client gets as the Presence of phoenix.js does: diffs wait for the
// state, the metas of a key are told apart by their refs, and who leaves may be unknown.
type stock struct {
	synced  bool
	pending []diff
	list    map[string]map[string]string // names by key and ref
}

func (s *stock) take(t *testing.T, m wstest.Message) {
	t.Helper()
	switch m.Event {
	case "presence_state":
		l := list{}
		if err := jsonInto(m.Payload, &l); err != nil {
			t.Fatal(err)
		}
		s.synced, s.list = true, map[string]map[string]string{}
		s.apply(diff{Joins: l})
		for _, d := range s.pending {
			s.apply(d)
		}
		s.pending = nil
	case "presence_diff":
		var d diff
		if err := jsonInto(m.Payload, &d); err != nil {
			t.Fatal(err)
		}
		if s.synced {
			s.apply(d)
		} else {
			s.pending = append(s.pending, d)
		}
	}
}

func (s *stock) apply(d diff) {
	for key, e := range d.Joins {
		if s.list[key] == nil {
			s.list[key] = map[string]string{}
		}
		for _, m := range e.Metas {
			s.list[key][m.Ref] = m.Name
		}
	}
	for key, e := range d.Leaves {
		for _, m := range e.Metas {
			delete(s.list[key], m.Ref)
		}
		if len(s.list[key]) == 0 {
			delete(s.list, key)
		}
	}
}

func (s *stock) count() (n int) {
	for _, metas := range s.list {
		n += len(metas)
	}
	return n
}

func (s *stock) String() string {
	var lines []string
	for key, metas := range s.list {
		for _, ref := range slices.Sorted(maps.Keys(metas)) {
			lines = append(lines, key+" "+ref+" "+metas[ref])
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func listed(p *presence.Presence[person], topic string) string {
	var lines []string
	for key, metas := range p.List(topic) {
		for _, m := range metas {
			lines = append(lines, key+" "+m.Ref+" "+m.Meta.Name)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestListsInPieces has clients join topics whose lists are larger than the queue of a
// connection. While the list is on its way others come, go and change. Clients end with the
// list, and no connection is closed.
func TestListsInPieces(t *testing.T) {
	for name, c := range map[string]struct {
		entries, bytes int
		oneKey         bool
	}{
		"300 of 3.9 KB":   {entries: 300, bytes: 3900},
		"9,000 of 80 B":   {entries: 9000, bytes: 80},
		"400 of one user": {entries: 400, bytes: 4000, oneKey: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, pubsub.NewLocal(), presence.Options[person]{})
			name := strings.Repeat("x", c.bytes-len(`{"name":""}`))
			var owners []*presence.Owner[person]
			key := func(i int) string {
				if c.oneKey {
					return "everybody"
				}
				return fmt.Sprint("user", i)
			}
			for i := range c.entries {
				owners = append(owners, s.here.NewOwner())
				mustTrack(t, owners[i], "room:1", key(i), name)
			}
			for transport, client := range map[string]*wstest.Client{
				"websocket": wstest.Dial(t, s.url),
				"longpoll":  wstest.DialLongPoll(t, "http"+strings.TrimSuffix(strings.TrimPrefix(s.url, "ws"), "websocket?vsn=2.0.0")+"longpoll?vsn=2.0.0"),
			} {
				ref := client.Push("room:1", "phx_join", fmt.Sprintf(`{"key":%q}`, transport))
				if m := client.ReplyTo(ref); m.Status != "ok" {
					t.Fatalf("join: %v", m)
				}
				var got stock
				for !got.synced { // so that the first piece is on its way
					got.take(t, client.Message())
				}
				for i := range 30 { // from all over the list
					o, at := owners[i*c.entries/30], i*c.entries/30
					o.Untrack("room:1", key(at))
					mustTrack(t, o, "room:1", key(at), transport)
					if _, err := o.Update("room:1", key(at), person{transport + " again"}); err != nil {
						t.Fatal(err)
					}
					other := owners[i*c.entries/30+1]
					other.Untrack("room:1", key(at+1))
				}
				for got.count() != s.here.Count("room:1") || got.String() != listed(s.here, "room:1") {
					m := client.Message()
					if m.Event == "presence_diff" || m.Event == "presence_state" {
						if len(m.Payload) > 70<<10 {
							t.Errorf("a message of %d bytes", len(m.Payload))
						}
						got.take(t, m)
					}
				}
				for i := range 30 {
					mustTrack(t, owners[i*c.entries/30+1], "room:1", key(i*c.entries/30+1), "back")
				}
			}
		})
	}
}

// TestListsInSmallQueues has connections whose queues are smaller than a message of presence:
// lists and diffs come in smaller ones, and an entry that can never fit is refused to PushState.
func TestListsInSmallQueues(t *testing.T) {
	ps := pubsub.NewLocal()
	here := startPresence(t, ps, presence.Options[person]{Limits: presence.Limits{MetaBytes: 60 << 10}})
	pushed := make(chan error, 1)
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, ch.Send(appear{})
	})
	bennu.OnInfo(rooms, func(ch *bennu.Channel, _ context.Context, _ appear) error {
		pushed <- here.PushState(ch)
		return nil
	})
	var users bennu.SocketHandler
	users.Channel("room:*", rooms)
	e := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, Logger: quiet, DrainTime: bennu.Unlimited})
	e.Socket("/socket", &users, &bennu.SocketOptions{
		WebSocket: websocket.Options{MaxMessage: 8 << 10, MaxQueueBytes: 40 << 10},
		LongPoll:  &longpoll.Options{MaxBody: 8 << 10, MaxBufferBytes: 40 << 10},
	})
	h := httptest.NewServer(e)
	defer h.Close()
	defer e.Shutdown(context.Background())
	o := here.NewOwner()
	var told subscribertest.Box
	sub := ps.Subscribe("room:1", &told)
	for i := range 200 {
		mustTrack(t, o, "room:1", fmt.Sprint("user", i), strings.Repeat("x", 3000))
	}
	waittest.Until(t, "all are told of", func() bool {
		joins := 0
		for _, m := range told.Messages() {
			var d diff
			if err := jsonInto(string(m.Payload), &d); err != nil {
				t.Fatal(err)
			}
			joins += len(d.Joins)
		}
		return joins == 200
	})
	for _, m := range told.Messages() {
		if len(m.Payload) > 10<<10 { // a quarter of a queue
			t.Errorf("a diff of %d bytes", len(m.Payload))
		}
	}
	sub.Cancel() // so that clients that join now get none of these
	mustTrack(t, o, "room:2", "user", strings.Repeat("x", 50<<10))
	url := strings.TrimPrefix(h.URL, "http") + "/socket/"
	for transport, client := range map[string]*wstest.Client{
		"websocket": wstest.Dial(t, "ws"+url+"websocket?vsn=2.0.0"),
		"longpoll":  wstest.DialLongPoll(t, "http"+url+"longpoll?vsn=2.0.0"),
	} {
		client.Join("room:1")
		var got stock
		for got.count() != 200 {
			got.take(t, client.Message())
		}
		if err := waittest.Next(t, "the state is pushed", pushed); err != nil {
			t.Errorf("%s: %v", transport, err)
		}
		client.Join("room:2")
		if err := waittest.Next(t, "the state is pushed", pushed); !errors.Is(err, presence.ErrTooLarge) {
			t.Errorf("%s: an entry that can never fit: %v", transport, err)
		}
		if status, _ := client.Ask("phoenix", "heartbeat", "{}"); status != "ok" {
			t.Errorf("%s: the connection is gone", transport)
		}
	}
}
