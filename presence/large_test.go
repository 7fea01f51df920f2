package presence_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

const patience = waittest.Patience

// The topic becomes small again while a client gets its sample. Then the client gets diffs, for which
// it needs the whole list.
func TestLargeTopicShrinksDuringPushState(t *testing.T) {
	told := make(chan string, 20)
	await := func(n int) {
		t.Helper()
		for range n {
			select {
			case <-told:
			case <-time.After(patience):
				t.Fatal("a change was not told")
			}
		}
	}
	var armed atomic.Bool
	sampled, shrunk := make(chan struct{}), make(chan struct{})
	ps := pubsub.NewLocal()
	here, err := presence.New(t.Context(), ps, &presence.Options[person]{
		Large: &presence.Large{Entries: 5, Sample: 1, Every: time.Hour},
		First: func(_, key string) { told <- key },
		Last:  func(_, key string) { told <- key },
		Fetch: func(context.Context, string, []string) (map[string]any, error) {
			if armed.CompareAndSwap(true, false) {
				close(sampled)
				<-shrunk
			}
			return nil, nil
		},
		FetchTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	crowd := here.NewOwner()
	for i := range 6 {
		if _, err := crowd.Track("room:a", fmt.Sprint(i), person{}); err != nil {
			t.Fatal(err)
		}
	}
	await(6)

	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, ch.Send(arrived{})
	})
	bennu.OnInfo(d, func(ch *bennu.Channel, _ context.Context, _ arrived) error {
		return here.PushState(ch)
	})
	var users bennu.SocketHandler
	users.Channel("room:*", d)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: discard, PubSub: ps})
	endpoint.Socket("/socket", &users, nil)
	server := httptest.NewServer(endpoint)
	defer server.Close()
	defer endpoint.Shutdown(context.Background())
	conn, _, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http")+"/socket/websocket?vsn=2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}

	armed.Store(true)
	if err := wsutil.WriteClientText(conn, []byte(`["1","1","room:a","phx_join",{}]`)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-sampled:
	case <-time.After(patience):
		t.Fatal("Fetch was not called")
	}
	for i := range 4 {
		crowd.Untrack("room:a", fmt.Sprint(i))
	}
	close(shrunk)

	state := map[string]any{}
	for len(state) != 2 { // two are left
		frame, err := wsutil.ReadServerText(conn)
		if err != nil {
			t.Fatalf("the client has %v at the end: %v", state, err)
		}
		var event string
		var payload json.RawMessage
		if err := json.Unmarshal(frame, &[]any{nil, nil, nil, &event, &payload}); err != nil {
			t.Fatal(err)
		}
		if event == "presence_state" {
			state = map[string]any{}
			if err := json.Unmarshal(payload, &state); err != nil {
				t.Fatal(err)
			}
		}
	}
	await(4)
}
