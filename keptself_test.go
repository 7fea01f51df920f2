package bennu_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// keptNodes are nodes with one store and one broker.
func keptNodes(t *testing.T, n int, topics ...history.Topic) (nodes []*keeping) {
	t.Helper()
	broker, store := new(pubsubtest.Memory), new(keptStore)
	for i := range n {
		ps, err := pubsub.New(t.Context(), &pubsub.Options{Adapter: broker.Node(t, fmt.Sprint("n", i))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ps.Close(context.Background()) })
		nodes = append(nodes, serveStore(t, one("*", talkative(t)), ps, &history.Options{Store: store, Topics: topics, Check: time.Second}))
	}
	return nodes
}

// TestExceptSelfOnNodes leaves out the sender alone: not the channel of another node that is the same one
// there, not another channel of its connection, and not its own next join.
func TestExceptSelfOnNodes(t *testing.T) {
	nodes := keptNodes(t, 2, history.Topic{Pattern: "*"})
	here, there := wstest.Dial(t, nodes[0].url), wstest.Dial(t, nodes[1].url)
	clients := []*wstest.Client{here, there}
	for _, c := range clients {
		joinSince(c, "a", since(""))
		joinSince(c, "b", since(""))
	}
	// Each is the first sender of its node.
	var offsets []string
	for i, c := range clients {
		status, response := c.Ask("a", "except", "{}")
		if status != "ok" {
			t.Fatal(response)
		}
		offset := response[len(`{"at":"`) : len(response)-2]
		offsets = append(offsets, offset)
		c.Expect(kept(offset, "a", "bennu:offset", `{}`))
		clients[1-i].Expect(kept(offset, "a", "said", `{"by":"except"}`))
	}
	if status, response := here.Ask("b", "others", "{}"); status != "ok" {
		t.Fatal(response)
	}
	if m := here.Message(); m.Topic != "b" || m.Event != "bennu:offset" {
		t.Errorf("got %v", m)
	}
	if m := there.Message(); m.Topic != "b" || m.Event != "said" {
		t.Errorf("got %v", m)
	}
	for _, c := range clients {
		c.Fence()
	}
	// Another join of the same client does not know that it was the sender.
	here.Abort()
	for _, node := range nodes {
		c := wstest.Dial(t, node.url)
		joinSince(c, "a", since(offsets[0]))
		c.Expect(kept(offsets[1], "a", "said", `{"by":"except"}`))
	}
	c := wstest.Dial(t, nodes[1].url)
	joinSince(c, "a", since(offsets[1]))
	status, _ := c.Ask("a", "except", "{}")
	if m := c.Message(); status != "ok" || m.Event != "bennu:offset" {
		t.Errorf("%s, %v", status, m)
	}
	if m := there.Message(); m.Event != "said" {
		t.Errorf("got %v", m)
	}
}
