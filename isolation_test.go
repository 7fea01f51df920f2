package bennu_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
)

// failures are the ways in which callbacks end here. The last is no panic.
var failures = []func(){
	func() { panic("as asked") },
	func() { none := map[string]map[string]int{}; none["a"]["nil map"]++ },
	func() { c := make(chan int); close(c); close(c) },
	func() { var r *room; _ = r.Channel },
	runtime.Goexit,
}

// how says in a payload which failure is meant.
type how struct {
	How *int `json:"how"`
}

func failing(i int) string { return fmt.Sprintf(`{"how":%d}`, i%len(failures)) }

// fragile is a channel that fails where it is asked to, and counts that.
type fragile struct {
	*bennu.Channel
	failed *atomic.Int64
	end    how
}

func (f *fragile) fail(h how) {
	if h.How != nil {
		f.failed.Add(1)
		failures[*h.How]()
	}
}

func (f *fragile) Terminate(error) { f.fail(f.end) }

func fragiles(failed *atomic.Int64) *bennu.Definition[*fragile] {
	type joinHow struct {
		how
		Terminate how `json:"terminate"`
	}
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in joinHow) (*fragile, bennu.Empty, error) {
		f := &fragile{ch, failed, in.Terminate}
		f.fail(in.how)
		return f, bennu.Empty{}, nil
	})
	none := bennu.NoReply{}
	bennu.On(d, "echo", func(_ *fragile, _ context.Context, p bennu.Raw) (bennu.Raw, error) { return p, nil })
	bennu.On(d, "in", func(f *fragile, _ context.Context, h how) (bennu.NoReply, error) { f.fail(h); return none, nil })
	bennu.On(d, "info", func(f *fragile, _ context.Context, h how) (bennu.NoReply, error) { return none, f.Send(h) })
	bennu.On(d, "go", func(f *fragile, _ context.Context, h how) (bennu.NoReply, error) {
		f.Go(func(context.Context) error { f.fail(h); return nil })
		return none, nil
	})
	bennu.OnInfo(d, func(f *fragile, _ context.Context, h how) error { f.fail(h); return nil })
	bennu.Intercept(d, "out", func(f *fragile, _ context.Context, h how) error { f.fail(h); return nil })
	return d
}

// The size of the crowd: each socket has one channel that must notice nothing.
var isolationSockets = sized(25, 100)

const (
	isolationVictims = 9
	isolationLog     = 100 // lines a second and message
)

// victim is a topic that is joined on one socket only.
func victim(socket, v int) string { return fmt.Sprintf("victim:%d:%d", socket, v) }

// TestIsolation lets each kind of callback fail hundreds of times, at full size thousands
// over 100 sockets, of ten channels each. Only the channel that failed may notice, and its client
// is told about each failure once.
func TestIsolation(t *testing.T) {
	var failed atomic.Int64
	s := serve(t, one("*", fragiles(&failed)), nil, nil)
	n := sized(200, 10_000) * 5 / 4 // of which a fifth is Goexit

	inEvent := func(event string) func(c *wstest.Client, topic string, i int) (wstest.Frame, string) {
		return func(c *wstest.Client, topic string, i int) (wstest.Frame, string) {
			return c.Frame(topic, event, failing(i))
		}
	}
	crashed := func(joinRef, _, topic string) []string { return []string{wstest.Crashed(joinRef, topic)} }
	for _, kind := range []struct {
		name string
		// fail makes the message that lets a channel fail in the way i.
		fail func(c *wstest.Client, topic string, i int) (f wstest.Frame, ref string)
		// told is what the client is told then.
		told func(joinRef, ref, topic string) []string
		// crashes and joinCrashes are what one failure counts as.
		crashes, joinCrashes int
	}{
		{"handle_in", inEvent("in"), crashed, 1, 0},
		{"handle_info", inEvent("info"), crashed, 1, 0},
		{"go", inEvent("go"), crashed, 1, 0},
		{"handle_out", func(_ *wstest.Client, topic string, i int) (wstest.Frame, string) {
			if err := s.Broadcast(topic, "out", bennu.Raw(failing(i))); err != nil {
				t.Error(err)
			}
			return wstest.Frame{}, ""
		}, crashed, 1, 0},
		{"join", inEvent("phx_join"), func(_, ref, topic string) []string {
			return []string{wstest.Refused(ref, ref, topic, "join crashed")}
		}, 0, 1},
		{"terminate", inEvent("phx_leave"), func(joinRef, ref, topic string) []string {
			return []string{wstest.OK(joinRef, ref, topic), wstest.Closed(joinRef, topic)}
		}, 0, 0},
	} {
		t.Run(kind.name, func(t *testing.T) {
			before, stats, logged, began := settle(), s.Stats(), crashLines(s), time.Now()
			failed.Store(0)
			want := n // callbacks that fail
			if kind.name == "terminate" {
				want = 0 // counted below: every channel that is joined fails when it ends
			}
			var clients []*wstest.Client
			for range isolationSockets {
				c := wstest.Dial(t, s.url)
				c.Join("sibling")
				clients = append(clients, c)
			}
			for done := 0; done < n; {
				wants := make([][]string, isolationSockets)
				for i, c := range clients { // join what is to fail
					var frames []wstest.Frame
					for v := 0; v < isolationVictims && kind.name != "join"; v++ {
						f, ref := c.Frame(victim(i, v), "phx_join", `{"terminate":`+map[bool]string{true: failing(v + i), false: "{}"}[kind.name == "terminate"]+`}`)
						frames = append(frames, f)
						if kind.name == "terminate" {
							want++
						}
						wants[i] = append(wants[i], wstest.OK(ref, ref, victim(i, v)))
					}
					c.Send(frames...)
				}
				for i, c := range clients {
					c.Expect(wants[i]...)
					wants[i] = nil
				}
				for i, c := range clients {
					var frames []wstest.Frame
					echo := func(when string) {
						f, ref := c.Frame("sibling", "echo", `"`+when+`"`)
						frames = append(frames, f)
						wants[i] = append(wants[i], wstest.Reply(c.JoinRef("sibling"), ref, "sibling", "ok", `"`+when+`"`))
					}
					echo("before")
					for v := 0; v < isolationVictims && done < n; v++ {
						topic := victim(i, v)
						joinRef := c.JoinRef(topic)
						f, ref := kind.fail(c, topic, done)
						if f.Op != 0 {
							frames = append(frames, f)
						}
						wants[i] = append(wants[i], kind.told(joinRef, ref, topic)...)
						done++
					}
					echo("during")
					c.Send(frames...)
				}
				for i, c := range clients {
					c.ExpectAll(wants[i]...)
					if kind.name == "terminate" { // those that were not its turn
						for v := range isolationVictims {
							c.Want(victim(i, v), "phx_leave", "{}", "ok", "{}")
						}
					}
				}
			}
			for _, c := range clients {
				if kind.name != "terminate" {
					c.Want("sibling", "echo", `"after"`, "ok", `"after"`)
					c.Fence()
				}
				c.Abort()
			}
			before.backAt(t, s)

			now := s.Stats()
			if crashes, joins := int(now.Crashes-stats.Crashes), int(now.JoinCrashes-stats.JoinCrashes); crashes != n*kind.crashes || joins != n*kind.joinCrashes {
				t.Errorf("%d failures counted as %d crashes and %d of joins", n, crashes, joins)
			}
			if got := int(failed.Load()); got != want {
				t.Errorf("%d callbacks failed, want %d", got, want)
			}
			wantLimited(t, crashLines(s)-logged, time.Since(began))
		})
	}
	if crashLines(s) == 0 {
		t.Error("nothing was logged")
	}
}

func crashLines(s *server) int {
	return len(s.log.about("channel crashed")) + len(s.log.about("join crashed"))
}

// wantLimited wants no more lines than the log may have of one message.
func wantLimited(t *testing.T, lines int, took time.Duration) {
	t.Helper()
	if most := isolationLog * (2 + int(took/time.Second)); lines > most {
		t.Errorf("%d lines logged in %v, at most %d should be", lines, took, most)
	}
}

// TestIsolationConnect lets Connect fail as often: each handshake is answered
// with 500, and connections there are notice nothing.
func TestIsolationConnect(t *testing.T) {
	users := one("*", rooms())
	var attempts atomic.Int64
	users.Connect = func(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
		if _, ok := info.Params.String("fail"); ok {
			failures[int(attempts.Add(1))%len(failures)]()
		}
		return nil
	}
	s := serve(t, users, nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("sibling")
	before, began := settle(), time.Now()
	n := sized(200, 10_000) * 5 / 4
	for i := range n {
		refused, answer := wstest.Open(t, s.url+"&fail")
		if refused != nil || answer.StatusCode != 500 {
			t.Fatalf("handshake %d: %s", i, answer.Status)
		}
		if i%100 == 0 {
			c.Want("sibling", "echo", "{}", "ok", "{}")
		}
	}
	c.Fence()
	eventually(t, "goroutines and files are back at base", func() bool { return before.isBack(measure()) })
	var lines []string
	for _, line := range strings.Split(s.log.all(), "\n") {
		if strings.Contains(line, "acceptor panicked") {
			lines = append(lines, line)
		}
	}
	wantLimited(t, len(lines), time.Since(began))
}
