package bennu_test

import (
	"context"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
)

// TestGoLive has an entry that arrives after a reader has found nothing more, and before the channel is
// live. The channel must not go live without it: no other entry may ever come.
func TestGoLive(t *testing.T) {
	joined := make(chan *bennu.Channel, 1)
	s := serveKept(t, one("a", bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		joined <- ch
		return &room{ch}, bennu.Empty{}, nil
	})), nil)
	c := wstest.Dial(t, s.url)
	joinSince(c, "a", since(""))
	ch := <-joined
	bennu.SetBehind(ch)
	o := s.say(t, "a", "said", nil)
	if bennu.GoLive(ch) {
		t.Fatal("the channel is live, and its client has not got the newest message")
	}
	c.Fence()
	bennu.ReadOn(ch)
	c.Expect(kept(o, "a", "said", `{}`), wstest.V2(`"1"`, `"`+o+`"`, "a", "bennu:resume", `{"status":"live","count":1}`))
	if o = s.say(t, "a", "said", nil); bennu.GoLive(ch) != true {
		t.Error("the channel is not live, and has everything")
	}
	c.Expect(kept(o, "a", "said", `{}`))
}
