package bennu_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// TestSlowConsumer has a client stop reading while broadcasts go on. The publisher
// does not wait for it, a client beside it gets all in order, and it is cut with 1013.
func TestSlowConsumer(t *testing.T) { engines(t, testSlowConsumer) }

func testSlowConsumer(t *testing.T, options *bennu.EndpointOptions) {
	s := serve(t, one("*", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{MaxQueueBytes: 256 << 10})}}, options)
	slow, bystander := wstest.Dial(t, s.url), wstest.Dial(t, s.url)
	// Fixed, so that the kernel does not make it grow. Much less than the largest packet
	// of the loopback would make reading on crawl.
	if err := slow.Conn().(*net.TCPConn).SetReadBuffer(256 << 10); err != nil {
		t.Fatal(err)
	}
	slow.Join("news")
	bystander.Join("news")
	filler := strings.Repeat("x", 16<<10)
	sent := 0
	for s.Stats().Transports["websocket"].SlowConsumers == 0 {
		if sent > 10_000 {
			t.Fatal("160 MiB were taken by a client that does not read")
		}
		payload := map[string]any{"n": sent, "filler": filler}
		if err := s.Broadcast("news", "n", payload); err != nil {
			t.Error(err)
		}
		bystander.Expect(wstest.Broadcast("news", "n", fmt.Sprintf(`{"filler":"%s","n":%d}`, filler, sent)))
		sent++
	}
	code, got := slow.DrainToClose()
	if code != 1013 {
		t.Errorf("closed with %d after %d of %d messages", code, len(got), sent)
	}
	for i, m := range got {
		if !strings.HasSuffix(m.Payload, fmt.Sprintf(`"n":%d}`, i)) {
			t.Fatalf("message %d ends with %s", i, m.Payload[len(m.Payload)-20:])
		}
	}
	bystander.Fence()
	eventually(t, "the slow client is gone", func() bool { return s.Stats().Sockets == 1 })
	eventually(t, "one subscription is left", func() bool { return s.PubSub().Subscribers("news") == 1 })
	eventually(t, "the slow client is logged", func() bool { return len(s.log.about("slow consumer closed")) == 1 })
}

// TestMailboxFullOverTCP sends a channel more than its mailbox holds while its handler
// waits: the client is slowed and another is not, and in the end all is answered.
func TestMailboxFullOverTCP(t *testing.T) {
	g := newGates()
	users := one("*", g.channel())
	users.Limits.MailboxMessages = 16
	s := g.serve(t, users)
	c, other := wstest.Dial(t, s.url), wstest.Dial(t, s.url)
	joinRef := c.Join("a")
	other.Join("a")
	hang, hangRef := c.Frame("a", "hang", "{}")
	frames := []wstest.Frame{hang}
	want := []string{wstest.V2(joinRef, "null", "a", "too late", "{}"), wstest.OK(joinRef, hangRef, "a")}
	for i := range 1000 {
		payload := fmt.Sprintf(`{"n":%d}`, i)
		f, ref := c.Frame("a", "echo", payload)
		frames = append(frames, f)
		want = append(want, wstest.Reply(joinRef, ref, "a", "ok", payload))
	}
	c.Send(frames...)
	waittest.Next(t, "the handler", g.entered)
	for range 100 {
		other.Want("a", "echo", "{}", "ok", "{}")
	}
	g.open <- struct{}{}
	c.Expect(want...)
}
