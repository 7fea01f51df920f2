package bennu

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// TestRelateLimits gives limits of a mount, and wants the others to fit them or to be told what
// to change.
func TestRelateLimits(t *testing.T) {
	type bounds struct{ message, queue, body, buffer int }
	const mib = 1 << 20
	for name, tc := range map[string]struct {
		given, want bounds
		fault       string
	}{
		"defaults":               {bounds{}, bounds{mib, 4 * mib, mib, 4 * mib}, ""},
		"a small queue":          {bounds{queue: 256 << 10}, bounds{255 << 10, 256 << 10, 255 << 10, 4 * mib}, ""},
		"a tiny queue":           {bounds{queue: 1000}, bounds{500, 1000, 500, 4 * mib}, ""},
		"a small buffer":         {bounds{buffer: 64 << 10}, bounds{63 << 10, 4 * mib, 63 << 10, 64 << 10}, ""},
		"large messages":         {bounds{message: 8 * mib}, bounds{8 * mib, 8*mib + margin, mib, 8*mib + margin}, ""},
		"large posts":            {bounds{body: 8_000_000}, bounds{mib, 8_000_000 + margin, 8_000_000, 8_000_000 + margin}, ""},
		"small messages":         {bounds{message: 100}, bounds{100, 4 * mib, mib, 4 * mib}, ""},
		"all, and they fit":      {bounds{1000, 1000 + margin, 1000, 1000 + margin}, bounds{1000, 1000 + margin, 1000, 1000 + margin}, ""},
		"any message":            {bounds{message: -1}, bounds{-1, 4 * mib, mib, 4 * mib}, ""},
		"any queue":              {bounds{message: 100 * mib, queue: -1}, bounds{100 * mib, -1, mib, 100*mib + margin}, ""},
		"no bounds":              {bounds{-1, -1, -1, -1}, bounds{-1, -1, -1, -1}, ""},
		"message over queue":     {bounds{message: mib, queue: mib}, bounds{}, "option websocket.Options.MaxQueueBytes is 1048576, and a client may send 1048576 bytes (websocket.Options.MaxMessage), which would not fit the queue together with topic and event; set websocket.Options.MaxQueueBytes to 1049600 or more, or websocket.Options.MaxMessage to 1047552 or less"},
		"message over buffer":    {bounds{message: mib, buffer: mib}, bounds{}, "option longpoll.Options.MaxBufferBytes is 1048576, and a client may send 1048576 bytes (websocket.Options.MaxMessage)"},
		"post over queue":        {bounds{body: 2 * mib, queue: mib}, bounds{}, "option websocket.Options.MaxQueueBytes is 1048576, and a client may send 2097152 bytes (longpoll.Options.MaxBody)"},
		"post over buffer":       {bounds{body: 500, buffer: 300}, bounds{}, "or longpoll.Options.MaxBody to 1 or less"},
		"any message over queue": {bounds{message: -1, queue: mib}, bounds{}, "option websocket.Options.MaxMessage is Unlimited, and websocket.Options.MaxQueueBytes is 1048576"},
		"any post over buffer":   {bounds{body: -1, buffer: mib}, bounds{}, "give longpoll.Options.MaxBody a number, or make longpoll.Options.MaxBufferBytes Unlimited too"},
	} {
		list := listOf(t, websocket.New(&websocket.Options{MaxMessage: tc.given.message, MaxQueueBytes: tc.given.queue}),
			longpoll.New(&longpoll.Options{MaxBody: tc.given.body, MaxBufferBytes: tc.given.buffer}))
		err := relateBounds(list)
		if tc.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		ws, lp := &list[0].traits.Bounds, &list[1].traits.Bounds
		if got := (bounds{ws.Message.Value, ws.QueueBytes.Value, lp.Message.Value, lp.QueueBytes.Value}); err != nil || got != tc.want {
			t.Errorf("%s: got %+v, want %+v, %v", name, got, tc.want, err)
		}
	}
	// A transport that is not listed has no say, and one alone fits itself.
	if err := relateBounds(listOf(t, longpoll.New(&longpoll.Options{MaxBufferBytes: 1 << 20}))); err != nil {
		t.Error(err)
	}
	alone := listOf(t, websocket.New(&websocket.Options{MaxMessage: 8 << 20}))
	if err := relateBounds(alone); err != nil || alone[0].traits.Bounds.QueueBytes.Value != 8<<20+margin {
		t.Error(err, alone[0].traits.Bounds)
	}
	// One that has no bounds before it is mounted takes part as little.
	if err := relateBounds(append(alone, &listedTransport{})); err != nil {
		t.Error(err)
	}
}

// listOf is a list of transports as a mount has it.
func listOf(t *testing.T, given ...transport.Transport) []*listedTransport {
	t.Helper()
	list, err := listed(given)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRelateRates has a client that joins all its topics again be within the limits on rates.
func TestRelateRates(t *testing.T) {
	for name, tc := range map[string]struct {
		given                          Limits
		topics, joinBurst, messageRate int
		fault                          string
	}{
		"defaults":                  {Limits{}, 100, 100, 0, ""},
		"many topics":               {Limits{Topics: 500}, 500, 500, 0, ""},
		"few topics":                {Limits{Topics: 5}, 5, 100, 0, ""},
		"many topics, slow joins":   {Limits{Topics: 500, JoinBurst: 50}, 500, 50, 0, ""},
		"slow messages":             {Limits{MessageRate: 4}, 40, 100, 4, ""},
		"fast messages":             {Limits{MessageRate: 1000}, 100, 100, 1000, ""},
		"slow messages that fit":    {Limits{MessageRate: 4, Topics: 40}, 40, 100, 4, ""},
		"slow messages, all topics": {Limits{MessageRate: 4, Topics: 41}, 0, 0, 0, "set Limits.MessageRate to 5 or more, or Limits.Topics to 40 or less"},
	} {
		l := tc.given
		err := l.relate()
		if tc.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if l = l.withDefaults(); err != nil || l.Topics != tc.topics || l.JoinBurst != tc.joinBurst || l.MessageRate != tc.messageRate {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

// TestRelateQueues has each channel of a connection have something for its client at once.
func TestRelateQueues(t *testing.T) {
	for name, tc := range map[string]struct {
		topics, queue, buffer             int
		wantTopics, wantQueue, wantBuffer int
		fault                             string
	}{
		"defaults":          {0, 0, 0, 100, 2048, 2048, ""},
		"many topics":       {6000, 0, 0, 6000, 12_000, 12_000, ""},
		"all topics":        {Unlimited, 0, 50, math.MaxInt, 0, 50, ""},
		"a small queue":     {0, 20, 0, 10, 20, 2048, ""},
		"a small buffer":    {0, 0, 5, 2, 2048, 5, ""},
		"any queue":         {6000, Unlimited, 12_000, 6000, Unlimited, 12_000, ""},
		"they fit":          {10, 20, 20, 10, 20, 20, ""},
		"topics over queue": {11, 20, 0, 0, 0, 0, "set websocket.Options.MaxQueueMessages to 22 or more, or Limits.Topics to 10 or less"},
		"over the buffer":   {1000, 0, 1999, 0, 0, 0, "option longpoll.Options.MaxBufferMessages is 1999, and Limits.Topics is 1000"},
		"no queue":          {0, 1, 0, 0, 0, 0, "option websocket.Options.MaxQueueMessages is 1"},
	} {
		l := (Limits{Topics: tc.topics}).withDefaults()
		list := listOf(t, websocket.New(&websocket.Options{MaxQueueMessages: tc.queue}), longpoll.New(&longpoll.Options{MaxBufferMessages: tc.buffer}))
		err := l.relateQueues(tc.topics != 0, false, list)
		queue, buffer := list[0].traits.Bounds.QueueMessages.Value, list[1].traits.Bounds.QueueMessages.Value
		if tc.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || l.Topics != tc.wantTopics || queue != tc.wantQueue || buffer != tc.wantBuffer {
			t.Errorf("%s: %d topics, queue %d, buffer %d, %v", name, l.Topics, queue, buffer, err)
		}
	}
}

// TestRelateQueuesKept has a join replace another, on a topic that has a history.
func TestRelateQueuesKept(t *testing.T) {
	for queue, fits := range map[int]bool{2: false, 3: true} {
		l := (Limits{}).withDefaults()
		err := l.relateQueues(false, true, listOf(t, websocket.New(&websocket.Options{MaxQueueMessages: queue})))
		if fits != (err == nil) || err != nil && !strings.Contains(err.Error(), "set it to 3 or more") {
			t.Errorf("queue %d: %v", queue, err)
		}
	}
}

// TestRelateAtStart has Socket refuse limits that do not fit, and leave the options of transports
// as they are, which may be listed in several mounts.
func TestRelateAtStart(t *testing.T) {
	opts := longpoll.Options{MaxBody: 2 << 20}
	polls := longpoll.New(&opts)
	opts.MaxBody = 1 // which New has copied
	e := NewEndpoint(nil)
	e.Socket("/a", &SocketHandler{}, &SocketOptions{Transports: []transport.Transport{websocket.New(nil), polls}})
	if b := listOf(t, polls)[0].traits.Bounds; b.Message.Value != 2<<20 || b.QueueBytes.Value != 0 {
		t.Errorf("the transport was changed: %+v", b)
	}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, `socket "/b": option websocket.Options.MaxQueueBytes is 1048576`) {
			t.Errorf("panic %q", text)
		}
	}()
	small := websocket.New(&websocket.Options{MaxQueueBytes: 1 << 20})
	e.Socket("/b", &SocketHandler{}, &SocketOptions{Transports: []transport.Transport{small, polls}})
}

// TestLargeHeldBroadcast publishes one large broadcast while a join is not answered yet.
func TestLargeHeldBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := newGate()
		e, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{}), &EndpointOptions{PubSub: adapter.pubsub(t)})
		c := memDial(t, m)
		c.send(`["1","1","a","phx_join",{}]`)
		synctest.Wait()
		if err := e.Broadcast("a", "e", Raw(`{"x":"`+strings.Repeat("x", 2*maxHeldBytes)+`"}`)); err != nil {
			t.Fatal(err)
		}
		adapter.open("a")
		synctest.Wait()
		if got := c.take(); len(got) != 2 || c.closed() != 0 {
			t.Errorf("got %d frames, closed with %d", len(got), c.closed())
		}
	})
}

// TestTooManyHeldBroadcasts publishes more than a channel may keep while its join is not answered
// yet: that join fails, and the connection with its other channels goes on.
func TestTooManyHeldBroadcasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := newGate()
		e, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{}), &EndpointOptions{PubSub: adapter.pubsub(t)})
		c := memDial(t, m)
		adapter.open("other")
		c.send(`["1","1","other","phx_join",{}]`)
		c.send(`["2","2","a","phx_join",{}]`)
		synctest.Wait()
		for range 2 * maxHeldFrames {
			if err := e.Broadcast("a", "e", nil); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		adapter.open("a")
		c.send(`["3","3","a","phx_join",{}]`)
		synctest.Wait()
		got := strings.Join(c.take(), "\n")
		const want = `["1","1","other","phx_reply",{"response":{},"status":"ok"}]
["2","2","a","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]
["3","3","a","phx_reply",{"response":{},"status":"ok"}]`
		if got != want || c.closed() != 0 || e.Stats().Reasons["join_backlog"] != 1 {
			t.Errorf("closed with %d, reasons %v, got\n%s", c.closed(), e.Stats().Reasons, got)
		}
	})
}
